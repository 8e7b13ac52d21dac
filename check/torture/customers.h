/*
 * A mixed load by customers who do not give up: orders, cancellations, changes of stock, and repeats. Each is a thread
 * with an account of its own and decisions of its own, which the seed repeats. What gets no answer, or one that leaves
 * it open whether it was done, is asked again with the same key until it is known. All is written in the journal.
 */
#ifndef TANDEM_CHECK_TORTURE_CUSTOMERS_H
#define TANDEM_CHECK_TORTURE_CUSTOMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "check/harness/system.h"
#include "check/torture/journal.h"

struct customers;

struct customers_opts {
    struct system *system;
    struct journal *journal;
    unsigned count;
    uint64_t seed;
    unsigned patience_ms;              /* how long one request is repeated */
    const char *const *methods;        /* what they pay with, in equal parts, ends with NULL; NULL: the sandbox's */
};

/** Makes the accounts, and items that order knows of, with stock. The customers wait. The cause says what failed. */
enum err must_check customers_start(const struct customers_opts *opts, struct customers **ret);

/** Has each do so many things more. */
void customers_begin(struct customers *customers, unsigned steps);

/** How many things have been done so far, of all; how many of those that were begun are left. Any thread. */
unsigned customers_done(const struct customers *customers);
bool customers_are_idle(const struct customers *customers);

/** Answers of 503 and 507 so far. Any thread. */
unsigned customers_refused(const struct customers *customers);

/** Requests that ran out of patience, and the first of them. */
unsigned customers_failed(const struct customers *customers, const char **ret_first);

/** Ends the threads, after what they have begun. NULL is fine. */
void customers_stop(struct customers *customers);

#endif
