#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "apps/order/payment.h"

struct payment {
    const struct payment_driver *driver;
    void *state;
};

static const struct payment_driver *const drivers[] = {
    &payment_sandbox,
};

static const struct payment_driver *find_driver(const char *name)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    }
    return NULL;
}

enum err payment_open(const struct payment_opts *opts, struct payment **ret)
{
    const struct payment_driver *driver = find_driver(opts->driver);
    if (!driver)
        return err_because(ERR_CONFIG, "payment.driver: there is no driver \"%s\"", opts->driver);
    struct payment *payment = calloc(1, sizeof *payment);
    if (!payment)
        return err_because(ERR_MEMORY, "no memory for the payment driver");
    payment->driver = driver;
    enum err err = driver->open(opts, &payment->state);
    if (err) {
        free(payment);
        return err;
    }
    *ret = payment;
    return ERR_NONE;
}

void payment_close(struct payment *payment)
{
    if (!payment)
        return;
    payment->driver->close(payment->state);
    free(payment);
}

/* Gateways refuse to charge nothing; there is nothing to ask them. */
static bool is_free(const struct payment_request *request)
{
    return request->amount.amount_minor == 0;
}

enum payment_outcome payment_charge(struct payment *payment, const struct payment_request *request)
{
    return is_free(request) ? PAYMENT_APPROVED : payment->driver->charge(payment->state, request);
}

enum payment_outcome payment_refund(struct payment *payment, const struct payment_request *request)
{
    return is_free(request) ? PAYMENT_APPROVED : payment->driver->refund(payment->state, request);
}
