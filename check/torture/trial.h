/*
 * A trial: a system under the load of customers, something that goes wrong with it, and the auditor's verdict. What
 * torture.c and walk.c have in common; one of them at a time, on the main thread.
 */
#ifndef TANDEM_CHECK_TORTURE_TRIAL_H
#define TANDEM_CHECK_TORTURE_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "check/harness/system.h"
#include "check/torture/audit.h"
#include "check/torture/chance.h"
#include "check/torture/customers.h"
#include "check/torture/trial_gateway.h"
#include "check/torture/witness.h"

enum { TRIAL_CUSTOMERS = 6, TRIAL_PATIENCE_MS = 60000 };

struct trial {
    struct system_opts opts;         /* it was begun with */
    struct system *system;
    struct customers *customers;
    struct journal *journal;
    struct witness *witness;         /* of a broker; NULL: the bus keeps its events itself */
    struct chance chance;            /* beside that of the customers */
    struct audit_report report;      /* the latest */
    long slowest_ms;                 /* the longest that anything took to be final */
    char journal_path[256];
    const struct trial_gateway *gateway;   /* set before trial_begin(); NULL: the sandbox */
};

/** A setting of the test from the environment. */
const char *trial_text(const char *name, const char *otherwise);
unsigned trial_number(const char *name, unsigned otherwise);

/** What a trial's services are set to; with EXPIRE=1 in the environment what has reservations expire meanwhile. */
const char *const *trial_settings(const char *const *usual);

/* Reservations expire while their payments, the first answer to which was lost, are waiting to be asked for again; and
 * what is open for a second is nudged. */
extern const char *const trial_expiring[];

/** Has the system be on what ENGINES in the environment says: postgresql, rabbitmq (NODES=N of it), or both with a
 *  comma between them; on what is built in otherwise. */
void trial_engines(struct system_opts *opts);

/** SEED from the environment, or one of the clock; printed. */
uint64_t trial_seed(void);

/** Starts all. False when it cannot; the case has failed then. trial_end() is needed in any case. */
bool trial_begin(struct trial *trial, const struct system_opts *opts, uint64_t seed);
void trial_end(struct trial *trial);

/** Waits until the customers have done what was begun. False, and the case has failed, when they do not get there, or
 *  one got no answer. */
bool trial_run_out(struct trial *trial);

/** Waits until everything is final, for 10 s at most, and audits. False, and the case has failed, when anything is
 *  broken; what says after what it was. */
bool trial_audit(struct trial *trial, const char *what);

/** The same of a system that was restored from the backup of that mark of the journal. */
bool trial_audit_restored(struct trial *trial, unsigned mark, const char *what);

/** Fails the running case; returns false. */
bool trial_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
