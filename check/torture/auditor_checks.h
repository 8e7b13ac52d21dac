/*
 * What the auditor holds against a system's databases: a table of claims, each a query for what breaks it.
 *
 * Written from what the system promises, not from how it keeps it: nothing here is shared with the services. The
 * queries see these schemas: main has what the journal says (auditor_journal.c), u, o, i and b are user.db, order.db,
 * inventory.db and bus.db, and charged and refunded are what the gateway has in its ledger, whichever it is.
 */
#ifndef TANDEM_CHECK_TORTURE_AUDITOR_CHECKS_H
#define TANDEM_CHECK_TORTURE_AUDITOR_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

struct claim {
    const char *name;
    const char *breaks;      /* one row, a text, for each thing that breaks it */
    bool in_time;            /* it comes to hold by itself, some time after the last request */
};

extern const struct claim claims[];
extern const size_t claim_count;

/** What the claims stand on: tables of what belongs together. A script. */
extern const char claims_prepare[];

/** Numbers for the report: one row, with a name for each column. */
extern const char claims_figures[];

/** Views of the two kinds of ledger, attached as l. Both have a table charge (key, amount_minor, currency), whose key
 *  begins with the order's id. One keeps with each charge its state (none, approved, declined, refunded); the other has
 *  only charges that were made, and a table refund of the same columns: a row for each time that money moved. */
extern const char claims_ledger_of_states[], claims_ledger_of_refunds[];

#endif
