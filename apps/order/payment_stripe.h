/*
 * What the files of the driver "stripe" have in common: the gateway's public HTTP API for PaymentIntents and refunds.
 *
 *   payment_stripe.c            the driver: what is asked, in which order, and what follows
 *   payment_stripe_form.c       requests: forms, amounts, paths
 *   payment_stripe_call.c       the way there: the client, its header fields, the key
 *   payment_stripe_answer.c     answers: reading them, and the tables of what they mean to us
 *   payment_stripe_notice.c     what the gateway tells by itself
 *   payment_stripe_signature.c  and whether it did
 *
 * Any thread; a struct stripe never changes.
 */
#ifndef TANDEM_ORDER_PAYMENT_STRIPE_H
#define TANDEM_ORDER_PAYMENT_STRIPE_H

#include "apps/order/payment.h"
#include "net/client.h"

/* Which of its versions the gateway is to speak, whatever its account is set to. */
#define STRIPE_VERSION "2024-06-20"

struct stripe {
    struct client *client;
    char *key_file, *webhook_secret_file;
    unsigned timeout_ms;
};

/** Whether this may be an object's id, which then may stand in a path: 1 to PAYMENT_REFERENCE_MAX of [A-Za-z0-9_]. */
bool stripe_is_id(struct text id);

#endif
