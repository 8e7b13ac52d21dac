/*
 * Requests to the gateway: forms (application/x-www-form-urlencoded), amounts as it counts them, and paths.
 *
 * Pure functions: any thread. What does not fit a buffer is asked of it.
 */
#ifndef TANDEM_ORDER_PAYMENT_STRIPE_FORM_H
#define TANDEM_ORDER_PAYMENT_STRIPE_FORM_H

#include "apps/order/payment.h"
#include "base/buf.h"

enum { STRIPE_FORM_MAX_BYTES = 4096, STRIPE_CURRENCY_SIZE = 4 };

/** The amount as the gateway counts it, which for a few currencies is not by ISO 4217's exponent. False when it cannot
 *  be said to the gateway: a fraction of what it counts, or too much. */
bool stripe_amount(struct money money, int64_t *ret_amount);

/** The currency as the gateway writes it, "eur"; returns out. */
const char *stripe_currency(const struct currency *currency, char out[static STRIPE_CURRENCY_SIZE]);

/** "name=value", encoded, with '&' before it unless it is the first. */
void stripe_form_add(struct buf *form, const char *name, struct text value);

/** The form of a charge of this many of what the gateway counts: made and confirmed at once, without its customer; not
 *  confirmed where it is only to be found out whether there was one: that makes one that is then cancelled, or is
 *  refused as another request with a key that was used. */
void stripe_form_charge(struct buf *form, const struct payment_request *request, int64_t amount);

/** Of giving back all of what is left of a charge. */
void stripe_form_refund(struct buf *form, const struct payment_request *request, struct text reference);

/* Paths, each with its query. */
void stripe_path_intent(struct buf *path, struct text reference);
void stripe_path_cancel(struct buf *path, struct text reference);
void stripe_path_search(struct buf *path, struct text order_id);
void stripe_path_refunds_of(struct buf *path, struct text reference);

#endif
