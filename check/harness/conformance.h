/*
 * A conformance suite: one table of cases, run on every driver of an interface, each of which is a program of its own.
 * What came out is a table in doc/, a row a case and a column a driver, which check/harness/conformance.sh writes and
 * conformance_test_page(), the last row of the cases, holds to them.
 */
#ifndef TANDEM_CHECK_HARNESS_CONFORMANCE_H
#define TANDEM_CHECK_HARNESS_CONFORMANCE_H

#include "base/err.h"
#include "check/harness/suite.h"

struct conformance_case {
    unsigned needs;                   /* abilities; on a driver that lacks one it is not run */
    struct suite_case suite_case;
};

/* What the cases are run on. */
struct conformance_subject {
    const char *name;                 /* "bus on RabbitMQ" */
    unsigned abilities;
    const char *(*lacks)(void);       /* why it cannot be had on this machine; NULL: it can */
    enum err (*start)(void);
    void (*stop)(void);               /* of one that was not started, too */
};

/** What main() is to return. page is "doc/conformance-bus.md", target what makes it anew. */
int conformance_main(const struct conformance_subject *subject, const struct conformance_case *cases, size_t count,
                     const char *page, const char *target);

/** The last case of each table: the page has these cases, in this order. */
void conformance_test_page(void);

#endif
