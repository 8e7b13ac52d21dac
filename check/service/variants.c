#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/service/variants.h"

enum { CLIENTS_MAX = 64, NAME_SIZE = 160 };

static const struct variant variants[] = {
    {"nginx, native", "nginx", "native"},
    {"lighttpd, native", "lighttpd", "native"},
    {"nginx, libfcgi", "nginx", "libfcgi"},
    {"lighttpd, libfcgi", "lighttpd", "libfcgi"},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

/* What a variant cannot do, and why. A row takes a case out of the variants that have both words (NULL: any). */
static const struct exclusion {
    const char *case_name, *front, *transport, *reason;
} exclusions[] = {
    {"a request id that is not well formed is replaced by the front", "lighttpd", NULL,
     "lighttpd cannot make a request id; the service makes it (test_http)"},
    {"1000 kept connections are all answered", "lighttpd", NULL,
     "lighttpd opens a connection to a service for each request; what is kept is between nginx and a service"},
    {"64 peers with half a header delay nobody", NULL, "libfcgi",
     "the library reads with a thread for each connection, and that thread waits (net/server_libfcgi.h)"},
};

static struct {
    const char *const *settings;
    unsigned workers;
    bool postgresql;
    const struct variant *variant;
    struct system *system;
    struct http_client *clients[CLIENTS_MAX];
    size_t client_count;
} running;

/* ---- a variant's first and last test ---- */

static void start(const struct variant *variant)
{
    struct system_opts opts = {.front = variant->front, .transport = variant->transport, .workers = running.workers,
                               .postgresql = running.postgresql, .access_log = true,
                               .settings = running.settings};
    running.variant = variant;
    if (system_start(&opts, &running.system)) {
        running.system = NULL;
        CU_assertImplementation(CU_FALSE, __LINE__, err_cause(), __FILE__, "", CU_FALSE);
    }
}

static void stop(void)
{
    struct system *system = running.system;
    running.system = NULL;
    if (!system)
        CU_FAIL("it was not running");
    if (system_stop(system))
        CU_assertImplementation(CU_FALSE, __LINE__, err_cause(), __FILE__, "", CU_FALSE);
}

static void start_0(void) { start(&variants[0]); }
static void start_1(void) { start(&variants[1]); }
static void start_2(void) { start(&variants[2]); }
static void start_3(void) { start(&variants[3]); }
static void (*const starts[VARIANTS])(void) = {start_0, start_1, start_2, start_3};

/* ---- the table of all ---- */

static const char *excluded(const struct variant *variant, const char *case_name)
{
    for (size_t i = 0; i < sizeof exclusions / sizeof exclusions[0]; i++) {
        const struct exclusion *row = &exclusions[i];
        if (strcmp(row->case_name, case_name) == 0 && (!row->front || strcmp(row->front, variant->front) == 0) &&
            (!row->transport || strcmp(row->transport, variant->transport) == 0))
            return row->reason;
    }
    return NULL;
}

static bool is_wanted(const struct variant *variant)
{
    if (running.postgresql && variant != variants)
        return false;
    const char *only = getenv("TANDEM_VARIANT");
    return !only || strstr(variant->name, only);
}

static bool case_is_wanted(const char *name)
{
    const char *only = getenv("TANDEM_ONLY");
    return !only || strstr(name, only);
}

static void add(struct suite_case *out, size_t *count, const struct variant *variant, const char *name,
                void (*run)(void))
{
    const char *only = case_is_wanted(name) ? NULL : getenv("TANDEM_ONLY");
    char *full = malloc(NAME_SIZE);
    assert(full);
    /* Every case needs start and stop: the wanted text goes into their names. */
    snprintf(full, NAME_SIZE, "%s: %s%s%s", variant->name, name, only ? " for " : "", only ? only : "");
    out[(*count)++] = (struct suite_case){full, run};
}

static void add_variant(struct suite_case *out, size_t *count, size_t variant, const struct suite_case *cases,
                        size_t case_count)
{
    const struct variant *row = &variants[variant];
    add(out, count, row, "the system starts", starts[variant]);
    for (size_t i = 0; i < case_count; i++) {
        const char *reason = excluded(row, cases[i].name);
        if (reason && case_is_wanted(cases[i].name))
            printf("# not under %s: %s (%s)\n", row->name, cases[i].name, reason);
        if (!reason && case_is_wanted(cases[i].name))
            add(out, count, row, cases[i].name, cases[i].run);
    }
    add(out, count, row, "every service ends with status 0", stop);
}

static void stop_at_exit(void)
{
    if (system_stop(running.system))
        fprintf(stderr, "# %s\n", err_cause());
}

int variants_main(const char *suite, const struct suite_case *cases, size_t count, const char *const *settings)
{
    struct suite_case *all = calloc(VARIANTS * (count + 2), sizeof *all);
    size_t all_count = 0;
    assert(all);
    running.settings = settings;
    for (size_t i = 0; i < VARIANTS; i++)
        if (is_wanted(&variants[i]))
            add_variant(all, &all_count, i, cases, count);
    atexit(stop_at_exit);
    int status = suite_main(suite, all, all_count);
    for (size_t i = 0; i < all_count; i++)
        free((char *)(uintptr_t)all[i].name);
    free(all);
    return status;
}

int variants_main_supervised(const char *suite, const struct suite_case *cases, size_t count,
                             const char *const *settings, unsigned workers)
{
    running.workers = workers;
    return variants_main(suite, cases, count, settings);
}

static void missing(void)
{
    suite_skip(postgres_missing());
}

int variants_main_on_postgresql(const char *suite, const struct suite_case *cases, size_t count,
                                const char *const *settings, unsigned workers)
{
    static const struct suite_case none[] = {{"there is a server", missing}};
    if (postgres_missing())
        return suite_main(suite, none, 1);
    running.postgresql = true;
    return variants_main_supervised(suite, cases, count, settings, workers);
}

/* ---- for the cases ---- */

struct system *variant_system(void)
{
    if (!running.system)
        CU_FAIL_FATAL("the system is not running");
    return running.system;
}

const struct variant *variant_now(void)
{
    return running.variant;
}

/* Clients are freed when as many are made again, which is long after their case. */
static struct http_client *client(const char *token)
{
    struct http_client **slot = &running.clients[running.client_count++ % CLIENTS_MAX];
    struct system *system = variant_system();
    http_client_free(*slot);
    *slot = system_client(system);
    http_client_token(*slot, token);
    return *slot;
}

struct http_client *variant_anonymous(void) { return client(NULL); }
struct http_client *variant_admin(void) { return client(system_admin(variant_system())); }
struct http_client *variant_customer(void) { return client(system_customer(variant_system())); }
struct http_client *variant_service(void) { return client(system_service_token(variant_system())); }

struct http_client *variant_new_customer(void)
{
    char *token = system_new_customer(variant_system(), NULL);
    if (!token)
        CU_FAIL_FATAL("no new customer could be made");
    struct http_client *made = client(token);
    free(token);
    return made;
}

/* ---- expecting ---- */

static const char *problem_fault(const struct http_answer *answer, int status, const char *kind)
{
    static char wanted[64];
    snprintf(wanted, sizeof wanted, "/problems/%s", kind);
    if (strcmp(http_answer_header(answer, "Content-Type"), "application/problem+json") != 0)
        return "its Content-Type is not application/problem+json";
    if (strcmp(http_json_text(answer, "/type"), wanted) != 0)
        return wanted;
    if (http_json_integer(answer, "/status") != status)
        return "its status member is not the status";
    if (!*http_json_text(answer, "/title"))
        return "it has no title";
    if (strcmp(http_json_text(answer, "/request_id"), http_answer_header(answer, "X-Request-Id")) != 0)
        return "its request_id is not the one of the header";
    return NULL;
}

void variant_expect(const struct http_answer *answer, int status, const char *problem, const char *file, unsigned line)
{
    char said[512];
    const char *fault = NULL;
    if (answer->status == status)
        fault = problem && *answer->body ? problem_fault(answer, status, problem) : NULL;
    else
        fault = "the status";
    if (!fault)
        return;
    snprintf(said, sizeof said, "expected %d %s (%s), got %d: %.300s", status, problem ? problem : "", fault,
             answer->status, answer->body);
    CU_assertImplementation(CU_FALSE, line, said, file, "", CU_FALSE);
}
