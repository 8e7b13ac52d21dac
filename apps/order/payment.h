/*
 * Payment: the anti-corruption layer. What a gateway calls things stops here; the rest of the service knows an outcome.
 *
 * The key of every question is the order's id, so that asking again cannot charge again: a gateway is asked as often as
 * it takes to know. Blocking: for threads of their own (payment_worker.h). All functions may be called by several
 * threads at once.
 */
#ifndef TANDEM_ORDER_PAYMENT_H
#define TANDEM_ORDER_PAYMENT_H

#include "base/err.h"
#include "base/money.h"
#include "base/secret.h"
#include "base/text.h"

enum payment_outcome {
    PAYMENT_UNKNOWN,      /* no answer, or none that can be relied on: it may or may not have been done. Ask again */
    PAYMENT_APPROVED,     /* it is done */
    PAYMENT_DECLINED,     /* it is not done, and asking again will not change that */
};

struct payment_request {
    struct text key;          /* the order's id */
    struct secret method;     /* the gateway's token for how is paid; empty for its default */
    struct money amount;
};

struct payment_opts {
    const char *driver;               /* "sandbox" */
    const char *sandbox_file;         /* the sandbox's ledger */
    unsigned busy_timeout_ms;         /* of that file */
};

/* A gateway. open() makes the driver's state, which the others get. */
struct payment_driver {
    const char *name;
    enum err (*open)(const struct payment_opts *opts, void **ret);
    void (*close)(void *state);
    enum payment_outcome (*charge)(void *state, const struct payment_request *request);
    enum payment_outcome (*refund)(void *state, const struct payment_request *request);
};

struct payment;

/** ERR_CONFIG when no driver has this name; what the driver's open() says. */
enum err must_check payment_open(const struct payment_opts *opts, struct payment **ret);
void payment_close(struct payment *payment);

/** Charges request->amount, once for each key however often it is asked. With PAYMENT_UNKNOWN err_cause() says why. */
enum payment_outcome payment_charge(struct payment *payment, const struct payment_request *request);

/** Gives back what was charged for the key, once however often it is asked. PAYMENT_DECLINED when nothing was. */
enum payment_outcome payment_refund(struct payment *payment, const struct payment_request *request);

extern const struct payment_driver payment_sandbox;

#endif
