/*
 * Running the auditor on a system's folder, and reading what it says.
 */
#ifndef TANDEM_CHECK_TORTURE_AUDIT_H
#define TANDEM_CHECK_TORTURE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

/* What the report has, of which figures are the line with numbers. */
struct audit_report {
    int status;                    /* the auditor's exit status; -1 when it did not exit */
    long settled_ms;               /* how long it waited; -1 when it was not asked to */
    char figures[512];
    char text[64 * 1024];          /* all of it, cut at that */
};

/* What there is to be read. */
struct audit_subject {
    const char *folder, *journal;
    const char *postgresql;        /* where the databases are, as libpq has it; NULL: in the folder */
};

/** Waits up to wait_ms (0: not) until the system is at rest, and audits it; as one that was restored from the backup of
 *  that mark of the journal, unless restored is 0. */
void audit_run(const struct audit_subject *subject, unsigned wait_ms, unsigned restored, struct audit_report *ret);

/** A figure by its name, "charges"; -1 when the report has none. */
long audit_figure(const struct audit_report *report, const char *name);

/** Prints what is broken as comments of TAP. */
void audit_print(const struct audit_report *report);

#endif
