/*
 * The payment worker at work in a test: between the order fixture's database and the sandbox.
 */
#ifndef TANDEM_CHECK_UNIT_PAYMENT_FIXTURE_H
#define TANDEM_CHECK_UNIT_PAYMENT_FIXTURE_H

#include "apps/order/payment_worker.h"
#include "check/unit/order_fixture.h"

#define PAYMENTS_APPROVED "SELECT count(*) FROM charge WHERE state = 'approved'"

extern struct payments {
    struct payment *payment;
    struct payment_worker *worker;
    order_emit *emit;              /* what the next worker gets; fixture_emit() unless a test says otherwise */
} payments;

/** The sandbox's, with its ledger among the fixture's files. */
struct payment_opts payments_opts(void);

void payments_start(unsigned threads, unsigned batch_max);
void payments_stop(void);

/** A number out of the sandbox's ledger. */
int64_t payments_ledger(const char *sql);

/** Waits until the order and its payment are in these states. */
void payments_expect(const char *order_id, const char *status, const char *payment_state);

/** Places an order that is paid by this method (NULL: the default), and reserves its stock. */
void payments_reserve(const char *method, char id[static ID_SIZE]);

#endif
