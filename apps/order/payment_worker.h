/*
 * The payment worker: threads that ask the gateway for what is due, and record what it said.
 *
 * They sleep until a commit makes a payment due, or until the next one comes due again. What is due is taken in batches
 * and recorded in batches. An unknown outcome is asked for again, with the same key, after a pause that doubles up to a
 * ceiling, for as long as it takes: giving up could leave a charge that nobody knows of.
 *
 * Of several processes with one database one pays (events/lease.h). Whoever comes to it takes up at once what the one
 * before left open; what another process makes due is seen within a second.
 */
#ifndef TANDEM_ORDER_PAYMENT_WORKER_H
#define TANDEM_ORDER_PAYMENT_WORKER_H

#include <stdint.h>

#include "apps/order/payment.h"
#include "apps/order/workflow.h"
#include "base/err.h"
#include "state/db.h"

struct payment_worker_opts {
    struct db *db;
    struct payment *payment;       /* must outlive the worker */
    unsigned threads;              /* how many questions may be under way at the gateway */
    unsigned batch_max;            /* payments that a thread takes at once */
    unsigned retry_first_ms, retry_max_ms;
    order_emit *emit;              /* on the database's writer thread */
    void *emitter;
};

/* What was done so far; counters only rise. */
struct payment_worker_stats {
    uint64_t approved, declined, unknown, refunded, refunds_refused, failures;
};

struct payment_worker;

/** Before or after db_start(): it begins once the writer runs. ERR_MEMORY. */
enum err must_check payment_worker_start(const struct payment_worker_opts *opts, struct payment_worker **ret);

/** Finishes what was taken, ends the threads and frees the worker; before the database is closed. NULL is fine. */
void payment_worker_stop(struct payment_worker *worker);

/** Any thread. */
void payment_worker_stats(const struct payment_worker *worker, struct payment_worker_stats *ret);

#endif
