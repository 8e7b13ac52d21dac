#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/order/payment.h"

struct payment {
    const struct payment_driver *driver;
    void *state;
    bool takes_notices;
};

static const struct payment_driver *const drivers[] = {
    &payment_sandbox,
    &payment_stripe,
};

static const char *const reason_names[PAYMENT_REASONS] = {
#define REASON_NAME(id, name) [id] = name,
    PAYMENT_REASON_TABLE(REASON_NAME)
#undef REASON_NAME
};

const char *payment_reason_name(enum payment_reason reason)
{
    return reason_names[reason];
}

const char *payment_reason_cause(enum payment_reason reason, char out[static PAYMENT_CAUSE_SIZE])
{
    if (reason == PAYMENT_REASON_NONE)
        snprintf(out, PAYMENT_CAUSE_SIZE, "payment declined");
    else
        snprintf(out, PAYMENT_CAUSE_SIZE, "payment declined: %s", reason_names[reason]);
    return out;
}

static enum err find_driver(const struct payment_opts *opts, const struct payment_driver **ret)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        if (strcmp(drivers[i]->name, opts->driver) != 0)
            continue;
        *ret = drivers[i];
        return drivers[i]->check(opts);
    }
    return err_because(ERR_CONFIG, "payment.driver: there is no driver \"%s\"", opts->driver);
}

enum err payment_check(const struct payment_opts *opts)
{
    const struct payment_driver *driver;
    return find_driver(opts, &driver);
}

enum err payment_open(const struct payment_opts *opts, struct payment **ret)
{
    const struct payment_driver *driver;
    enum err err = find_driver(opts, &driver);
    if (err)
        return err;
    struct payment *payment = calloc(1, sizeof *payment);
    if (!payment)
        return err_because(ERR_MEMORY, "no memory for the payment driver");
    payment->driver = driver;
    payment->takes_notices = driver->notice_header && opts->webhook_secret_file && *opts->webhook_secret_file;
    err = driver->open(opts, &payment->state);
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
static bool is_free(const struct payment_request *request, struct payment_answer *ret)
{
    if (request->amount.amount_minor != 0)
        return false;
    *ret = (struct payment_answer){.outcome = PAYMENT_APPROVED};
    return true;
}

void payment_charge(struct payment *payment, const struct payment_request *request, struct payment_answer *ret)
{
    if (!is_free(request, ret))
        payment->driver->charge(payment->state, request, ret);
}

void payment_refund(struct payment *payment, const struct payment_request *request, struct payment_answer *ret)
{
    if (!is_free(request, ret))
        payment->driver->refund(payment->state, request, ret);
}

unsigned payment_batch_max(const struct payment *payment)
{
    return payment->driver->batch_max;
}

bool payment_needs_method(const struct payment *payment)
{
    return payment->driver->needs_method;
}

const char *payment_notice_header(const struct payment *payment)
{
    return payment->takes_notices ? payment->driver->notice_header : NULL;
}

enum err payment_notice_read(struct payment *payment, const struct payment_notice *notice, struct payment_news *ret)
{
    assert(payment->takes_notices);
    return payment->driver->read_notice(payment->state, notice, ret);
}
