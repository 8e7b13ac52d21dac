/* Restarts that nobody notices: each service is replaced again and again while 16 kept connections load the system. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

/* RESTARTS=200 in the environment (make check-restarts) for more of them. */
enum { RESTARTS = 8, RESTARTS_LIBFCGI = 4, RESTARTS_SLOW = 2, RESTARTS_MAX = 100000 };
enum { CONNECTIONS = 16, WORKERS = 2, KEPT_REQUESTS = 500 };

static const char *const settings[] = {"log.level=warning", NULL};

/* ---- what is asked ---- */

struct load {
    char sku[STEP_ID_SIZE];
    atomic_bool over;
    atomic_uint requests, failed;
    pthread_mutex_t lock;            /* of the first failure */
    char first[512];
};

struct kind {
    const char *method, *path, *body;          /* %s: the item; %u: a number of its own */
    int status;
    bool by_admin;
};

static atomic_uint next_number;      /* of all cases: e-mail addresses are for once */

static const struct kind kinds[] = {
    {"GET", "/v1/items/%s", NULL, 200, false},
    {"POST", "/v1/orders", "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", 201, false},
    {"GET", "/v1/users/me", NULL, 200, false},
    {"GET", "/v1/orders?limit=3", NULL, 200, false},
    {"POST", "/v1/items/%s/stock", "{\"delta\":1,\"reason\":\"delivery\"}", 200, true},
    {"GET", "/order/ping", NULL, 200, false},
    {"POST", "/v1/users", "{\"email\":\"someone-%u@example.org\",\"name\":\"Some One\",\"password\":\"correct horse\"}",
     201, false},
    {"GET", "/v1/items?limit=2", NULL, 200, false},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void fill_in(const char *template, const char *sku, unsigned number, char *out, size_t size)
{
    const char *mark = strchr(template, '%');
    if (!mark)
        snprintf(out, size, "%s", template);
    else if (mark[1] == 'u')
        snprintf(out, size, "%.*s%u%s", (int)(mark - template), template, number, mark + 2);
    else
        snprintf(out, size, "%.*s%s%s", (int)(mark - template), template, sku, mark + 2);
}

static void note(struct load *load, const struct kind *kind, const struct http_answer *answer)
{
    atomic_fetch_add(&load->requests, 1);
    if (answer->status == kind->status)
        return;
    atomic_fetch_add(&load->failed, 1);
    pthread_mutex_lock(&load->lock);
    if (!*load->first)
        snprintf(load->first, sizeof load->first, "%s %s: %d %.300s", kind->method, kind->path, answer->status,
                 answer->body);
    pthread_mutex_unlock(&load->lock);
}

static void ask(struct load *load, struct http_client *client, unsigned number)
{
    const struct kind *kind = &kinds[number % KINDS];
    char path[128], body[256];
    fill_in(kind->path, load->sku, number, path, sizeof path);
    if (kind->by_admin)
        http_client_token(client, system_admin(variant_system()));
    else
        http_client_token(client, system_customer(variant_system()));
    if (!kind->body) {
        note(load, kind, http_send_nothing(client, kind->method, path));
        return;
    }
    fill_in(kind->body, load->sku, number, body, sizeof body);
    http_with(client, "Idempotency-Key: %s-%u", load->sku, number);
    note(load, kind, http_send(client, kind->method, path, "%s", body));
}

/* Answers stay as long as their client, so there is a new one, with a connection of its own, now and then. */
static void *connection_main(void *argument)
{
    struct load *load = argument;
    while (!atomic_load(&load->over)) {
        struct http_client *client = system_client(variant_system());
        for (unsigned i = 0; i < KEPT_REQUESTS && !atomic_load(&load->over); i++)
            ask(load, client, atomic_fetch_add(&next_number, 1));
        http_client_free(client);
    }
    return NULL;
}

/* ---- restarts ---- */

static unsigned restarts(void)
{
    const char *given = getenv("RESTARTS");
    unsigned long number = given ? strtoul(given, NULL, 10) : 0;
    if (number == 0 && system_is_slow())
        return RESTARTS_SLOW;
    if (number == 0)
        return strcmp(variant_now()->transport, "native") == 0 ? RESTARTS : RESTARTS_LIBFCGI;
    return number > RESTARTS_MAX ? RESTARTS_MAX : (unsigned)number;
}

static void restart_under_load(enum system_service service)
{
    struct load load = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[CONNECTIONS];
    unsigned started = 0, done = 0;
    step_item(1000000, load.sku);
    while (started < CONNECTIONS && pthread_create(&threads[started], NULL, connection_main, &load) == 0)
        started++;
    CU_ASSERT_EQUAL(started, CONNECTIONS);
    int64_t begun_ns = clock_now_ns();
    while (done < restarts() && system_restart(variant_system(), service))
        done++;
    double took_s = (double)(clock_now_ns() - begun_ns) / NS_PER_S;
    atomic_store(&load.over, true);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    printf("# %s: %u rolling restarts of %s in %.1f s: %u requests, %u failed %s\n", variant_now()->name, done,
           system_service_name(service), took_s, load.requests, load.failed, load.first);
    CU_ASSERT_EQUAL(done, restarts());
    CU_ASSERT_EQUAL(load.failed, 0);
    CU_ASSERT(load.requests > done);
}

static void test_user(void) { restart_under_load(SYSTEM_USER); }
static void test_inventory(void) { restart_under_load(SYSTEM_INVENTORY); }
static void test_order(void) { restart_under_load(SYSTEM_ORDER); }

static const struct suite_case cases[] = {
    {"restarts of user under load fail no request", test_user},
    {"restarts of inventory under load fail no request", test_inventory},
    {"restarts of order under load fail no request", test_order},
};

int main(void)
{
    return variants_main_supervised("restart", cases, sizeof cases / sizeof cases[0], settings, WORKERS);
}
