/*
 * One call to the gateway.
 */
#ifndef TANDEM_ORDER_PAYMENT_STRIPE_CALL_H
#define TANDEM_ORDER_PAYMENT_STRIPE_CALL_H

#include "apps/order/payment_stripe.h"
#include "apps/order/payment_stripe_answer.h"
#include "net/http.h"

struct stripe_call {
    enum http_method method;
    const char *path;                  /* with its query */
    struct text form;                  /* absent: none */
    const char *idempotency_key;       /* NULL: none */
};

/** ERR_CONFIG with a cause, unless it is an https URL, or an http one of this machine. */
enum err must_check stripe_url_check(const char *url);

/** Whether the key file holds a key. ERR_CONFIG with a cause; ERR_IO when it cannot be read. */
enum err must_check stripe_key_check(const char *path);

/** What client_call() says, ERR_PROTOCOL for an answer that is not understood, ERR_UNAVAILABLE without a key. Texts of
 *  the answer are in the arena. */
enum err must_check stripe_call(const struct stripe *stripe, const struct stripe_call *call, struct arena *arena,
                                struct stripe_answer *ret);

#endif
