/*
 * Service tests: the same cases under each front and each transport. A test program is a table of cases and
 * variants_main(); every case is then a test of its own in each variant, "nginx, native: a key given twice is …".
 *
 * A variant's system is started before its first case and stopped after its last; both are tests too, since a service
 * must become ready, and must exit with 0 when asked to end. TANDEM_VARIANT=TEXT runs the variants whose name has TEXT.
 */
#ifndef TANDEM_CHECK_SERVICE_VARIANTS_H
#define TANDEM_CHECK_SERVICE_VARIANTS_H

#include <stddef.h>

#include "check/harness/http_client.h"
#include "check/harness/suite.h"
#include "check/harness/system.h"

struct variant {
    const char *name;            /* "nginx, native" */
    const char *front, *transport;
};

/** settings as in struct system_opts. Returns what main() is to return. */
int variants_main(const char *suite, const struct suite_case *cases, size_t count, const char *const *settings);

/** The same, with so many processes of each service under tandemctl supervise. */
int variants_main_supervised(const char *suite, const struct suite_case *cases, size_t count,
                             const char *const *settings, unsigned workers);

/** The same, behind the first variant only and on PostgreSQL. */
int variants_main_on_postgresql(const char *suite, const struct suite_case *cases, size_t count,
                                const char *const *settings, unsigned workers);

/* ---- for the cases ---- */

/** The running system; the case has failed already when it is NULL, and ends. */
struct system *variant_system(void);
const struct variant *variant_now(void);

/** Clients of the running system, freed after the case. */
struct http_client *variant_anonymous(void);
struct http_client *variant_admin(void);
struct http_client *variant_customer(void);
struct http_client *variant_service(void);
struct http_client *variant_new_customer(void);

/* Fails the case, saying what came instead. */
#define EXPECT_STATUS(answer, wanted) variant_expect((answer), (wanted), NULL, __FILE__, __LINE__)
/** A problem document (RFC 9457): its status, its type without "/problems/", with everything it has to have. */
#define EXPECT_PROBLEM(answer, wanted, kind) variant_expect((answer), (wanted), (kind), __FILE__, __LINE__)

void variant_expect(const struct http_answer *answer, int status, const char *problem, const char *file, unsigned line);

#endif
