#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/torture/chance.h"
#include "check/torture/customers.h"

enum {
    SKUS = 8, STOCK_AT_FIRST = 12, PRICE_MINOR = 1250,
    LINES_MAX = 3, QUANTITY_MAX = 3, DELTA_MAX = 12,
    REMEMBERED = 16,             /* orders that a customer may still cancel or repeat */
    KEY_SIZE = 48, LINES_SIZE = 256, BODY_SIZE = 512, ID_SIZE_MAX = 64,
    AGAIN_NS = 5 * NS_PER_MS, READY_MS = 20000, LATE_MS = 2000,
    CLIENT_USES = 200,           /* a client keeps its answers: after so many it is made anew */
};

struct placed {
    char key[KEY_SIZE], body[BODY_SIZE], lines[LINES_SIZE], id[ID_SIZE_MAX];
    const char *method;
    int64_t total;
};

struct customer {
    struct customers *customers;
    pthread_t thread;
    unsigned number, keys, uses;
    struct chance chance;
    char *token, *id;
    struct http_client *client, *admin;
    struct placed placed[REMEMBERED];
    unsigned placed_count;
};

struct customers {
    struct customers_opts opts;
    struct customer *list;
    unsigned started;
    pthread_mutex_t lock;        /* of the four below */
    pthread_cond_t begin;
    unsigned round, steps;
    bool over;
    char first_failure[512];
    atomic_uint done, open, failed, refused;
};

/* ---- one request, until it is known ---- */

struct request {
    struct journal_entry entry;
    struct http_client *client;
    const char *path, *body;
    const char *settled_by;      /* of status 409: the problem that is an answer for good; NULL: none is */
};

/* An answer of the service itself that says whether it was done. */
static bool is_known(const struct request *request, const struct http_answer *answer)
{
    if (answer->status == 409)
        return request->settled_by && strstr(http_json_text(answer, "/type"), request->settled_by);
    return answer->status >= 200 && answer->status < 500 && answer->status != 401 && answer->status != 429;
}

static void note_failure(struct customers *customers, const struct request *request, const struct http_answer *answer)
{
    atomic_fetch_add(&customers->failed, 1);
    pthread_mutex_lock(&customers->lock);
    if (!*customers->first_failure)
        snprintf(customers->first_failure, sizeof customers->first_failure, "%s, key %s: %d %.300s", request->path,
                 request->entry.key, answer->status, answer->body);
    pthread_mutex_unlock(&customers->lock);
}

static void keep_order(struct request *request, const struct http_answer *answer)
{
    if (answer->status == 201)
        request->entry.id = http_json_text(answer, "/id");
}

/* Asks until it is known. */
static struct http_answer *ask(struct customers *customers, struct request *request)
{
    const struct timespec pause = {.tv_nsec = AGAIN_NS};
    int64_t until_ns = clock_now_ns() + customers->opts.patience_ms * NS_PER_MS;
    bool is_order = strcmp(request->entry.op, "order") == 0;
    for (;;) {
        http_with(request->client, "Idempotency-Key: %s", request->entry.key);
        struct http_answer *answer =
            request->body ? http_send(request->client, "POST", request->path, "%s", request->body)
                          : http_send_nothing(request->client, "POST", request->path);
        request->entry.attempt++;
        if (answer->status == 503 || answer->status == 507)
            atomic_fetch_add(&customers->refused, 1);
        if (is_order)
            keep_order(request, answer);
        journal_add(customers->opts.journal, &request->entry, answer);
        if (is_known(request, answer))
            return answer;
        if (clock_now_ns() > until_ns) {
            note_failure(customers, request, answer);
            return answer;
        }
        nanosleep(&pause, NULL);
    }
}

/* ---- what customers do ---- */

static const char *const sandbox_methods[] = {"sandbox_approve", "sandbox_approve", "sandbox_approve",
                                              "sandbox_timeout_once", "sandbox_timeout_once", "sandbox_decline", NULL};

static const char *choose_method(struct customer *customer)
{
    const char *const *methods = customer->customers->opts.methods;
    unsigned count = 0;
    if (!methods)
        methods = sandbox_methods;
    while (methods[count])
        count++;
    return methods[chance_below(&customer->chance, count)];
}

static void compose(struct customer *customer, struct placed *placed)
{
    struct chance *chance = &customer->chance;
    unsigned lines = 1 + chance_below(chance, LINES_MAX), first = chance_below(chance, SKUS);
    int body = snprintf(placed->body, BODY_SIZE, "{\"lines\":["), said = 0;
    placed->total = 0;
    for (unsigned i = 0; i < lines; i++) {
        unsigned sku = (first + i) % SKUS, quantity = 1 + chance_below(chance, QUANTITY_MAX);
        body += snprintf(placed->body + body, (size_t)(BODY_SIZE - body), "%s{\"sku\":\"sku-%u\",\"quantity\":%u}",
                         i ? "," : "", sku, quantity);
        said += snprintf(placed->lines + said, (size_t)(LINES_SIZE - said), "%ssku-%u*%u", i ? " " : "", sku, quantity);
        placed->total += (int64_t)quantity * PRICE_MINOR;
    }
    placed->method = choose_method(customer);
    snprintf(placed->body + body, (size_t)(BODY_SIZE - body), "],\"payment_method\":\"%s\"}", placed->method);
    snprintf(placed->key, sizeof placed->key, "order-%u-%u", customer->number, ++customer->keys);
}

static struct http_answer *send_order(struct customer *customer, const struct placed *placed, unsigned attempts)
{
    struct request request = {
        .entry = {.op = "order", .key = placed->key, .user = customer->id, .lines = placed->lines, .currency = "EUR",
                  .method = placed->method, .total = placed->total, .attempt = attempts},
        .client = customer->client,
        .path = "/v1/orders",
        .body = placed->body,
    };
    return ask(customer->customers, &request);
}

static void place(struct customer *customer)
{
    struct placed placed = {.total = 0};
    compose(customer, &placed);
    struct http_answer *answer = send_order(customer, &placed, 0);
    if (answer->status != 201)
        return;
    snprintf(placed.id, sizeof placed.id, "%s", http_json_text(answer, "/id"));
    customer->placed[customer->placed_count++ % REMEMBERED] = placed;
}

static const struct placed *choose(struct customer *customer)
{
    unsigned kept = customer->placed_count < REMEMBERED ? customer->placed_count : REMEMBERED;
    unsigned number = chance_below(&customer->chance, REMEMBERED);
    return kept ? &customer->placed[number % kept] : NULL;
}

/* Whatever became of the order meanwhile, the answer is what it was. */
static void repeat(struct customer *customer)
{
    const struct placed *placed = choose(customer);
    if (placed)
        send_order(customer, placed, 1);
}

/* The latest, while it is on its way; or, now and then, any. */
static void cancel(struct customer *customer)
{
    char path[128], key[KEY_SIZE];
    bool any = chance_below(&customer->chance, 4) == 0;
    const struct placed *placed = choose(customer);
    if (!placed)
        return;
    if (!any)
        placed = &customer->placed[(customer->placed_count - 1) % REMEMBERED];
    snprintf(path, sizeof path, "/v1/orders/%s/cancel", placed->id);
    snprintf(key, sizeof key, "cancel-%u-%u", customer->number, ++customer->keys);
    struct request request = {
        .entry = {.op = "cancel", .key = key, .id = placed->id},
        .client = customer->client,
        .path = path,
        .settled_by = "not-cancellable",
    };
    ask(customer->customers, &request);
}

static void place_and_cancel(struct customer *customer)
{
    place(customer);
    cancel(customer);
}

struct awaited {
    struct http_client *client;
    char path[128];
};

static bool has_moved(void *context)
{
    struct awaited *awaited = context;
    struct http_answer *answer = http_get(awaited->client, awaited->path);
    return answer->status == 200 && strcmp(http_json_text(answer, "/status"), "placed") != 0;
}

/* Between the charge and its answer, if it is to be. */
static void place_and_cancel_late(struct customer *customer)
{
    struct awaited awaited = {.client = customer->client};
    place(customer);
    if (customer->placed_count == 0)
        return;
    snprintf(awaited.path, sizeof awaited.path, "/v1/orders/%s",
             customer->placed[(customer->placed_count - 1) % REMEMBERED].id);
    process_until(has_moved, &awaited, LATE_MS);
    cancel(customer);
}

static void change_stock(struct customer *customer)
{
    char path[128], key[KEY_SIZE], sku[16], body[128];
    struct chance *chance = &customer->chance;
    int delta = 1 + (int)chance_below(chance, DELTA_MAX);
    if (chance_below(chance, 4) == 0)
        delta = -(delta / 4 + 1);
    snprintf(sku, sizeof sku, "sku-%u", chance_below(chance, SKUS));
    snprintf(path, sizeof path, "/v1/items/%s/stock", sku);
    snprintf(key, sizeof key, "stock-%u-%u", customer->number, ++customer->keys);
    snprintf(body, sizeof body, "{\"delta\":%d,\"reason\":\"%s\"}", delta, key);
    struct request request = {
        .entry = {.op = "stock", .key = key, .sku = sku, .delta = delta},
        .client = customer->admin,
        .path = path,
        .body = body,
        .settled_by = "insufficient-stock",
    };
    ask(customer->customers, &request);
}

static void (*const deeds[])(struct customer *) = {
    place, place, place, place, place_and_cancel, place_and_cancel_late, cancel, repeat, change_stock, change_stock,
};

/* ---- the threads ---- */

static struct http_client *anew(struct http_client *client, const struct customers *customers, const char *token)
{
    http_client_free(client);
    client = system_client(customers->opts.system);
    http_client_token(client, token);
    return client;
}

static void renew_clients(struct customer *customer)
{
    if (customer->uses++ % CLIENT_USES != 0)
        return;
    customer->client = anew(customer->client, customer->customers, customer->token);
    customer->admin = anew(customer->admin, customer->customers, system_admin(customer->customers->opts.system));
}

/* How much to do in the next round; 0 at the end. */
static unsigned next_round(struct customers *customers, unsigned *round)
{
    pthread_mutex_lock(&customers->lock);
    while (customers->round == *round && !customers->over)
        pthread_cond_wait(&customers->begin, &customers->lock);
    unsigned steps = customers->round == *round ? 0 : customers->steps;
    *round = customers->round;
    pthread_mutex_unlock(&customers->lock);
    return steps;
}

static void *customer_main(void *context)
{
    struct customer *customer = context;
    struct customers *customers = customer->customers;
    unsigned round = 0, steps;
    while ((steps = next_round(customers, &round)) > 0) {
        for (unsigned i = 0; i < steps; i++) {
            renew_clients(customer);
            deeds[chance_below(&customer->chance, sizeof deeds / sizeof deeds[0])](customer);
            atomic_fetch_add(&customers->done, 1);
            atomic_fetch_sub(&customers->open, 1);
        }
    }
    return NULL;
}

/* ---- beginning ---- */

struct knowing {
    struct http_client *client;
    unsigned tries;
};

/* Order knows an item once its event came: nothing is ordered, since one of the lines cannot be. */
static bool knows_all(void *context)
{
    struct knowing *knowing = context;
    char body[1024];
    int length = snprintf(body, sizeof body, "{\"lines\":[{\"sku\":\"no-such-item\",\"quantity\":1}");
    for (unsigned i = 0; i < SKUS; i++)
        length += snprintf(body + length, sizeof body - (size_t)length, ",{\"sku\":\"sku-%u\",\"quantity\":1}", i);
    http_with(knowing->client, "Idempotency-Key: knows-%u", ++knowing->tries);
    struct http_answer *answer = http_send(knowing->client, "POST", "/v1/orders", "%s]}", body);
    return answer->status == 422 && http_json_length(answer, "/errors") == 1;
}

static enum err make_items(struct customers *customers)
{
    struct http_client *admin = anew(NULL, customers, system_admin(customers->opts.system));
    struct customer *first = &customers->list[0];
    struct knowing knowing = {.client = anew(NULL, customers, first->token)};
    enum err err = ERR_NONE;
    for (unsigned i = 0; i < SKUS && !err; i++) {
        char path[64], key[KEY_SIZE], sku[16], body[128];
        snprintf(sku, sizeof sku, "sku-%u", i);
        snprintf(path, sizeof path, "/v1/items/%s", sku);
        struct http_answer *answer = http_send(
            admin, "PUT", path, "{\"name\":\"Item %u\",\"price\":{\"amount_minor\":%d,\"currency\":\"EUR\"}}", i,
            PRICE_MINOR);
        if (answer->status != 201)
            err = err_because(ERR_INTERNAL, "no item: %d %.200s", answer->status, answer->body);
        snprintf(path, sizeof path, "/v1/items/%s/stock", sku);
        snprintf(key, sizeof key, "first-%s", sku);
        snprintf(body, sizeof body, "{\"delta\":%d,\"reason\":\"%s\"}", STOCK_AT_FIRST, key);
        struct request request = {.entry = {.op = "stock", .key = key, .sku = sku, .delta = STOCK_AT_FIRST},
                                  .client = admin, .path = path, .body = body};
        if (!err && ask(customers, &request)->status != 200)
            err = err_because(ERR_INTERNAL, "no stock of %s", sku);
    }
    if (!err && !process_until(knows_all, &knowing, READY_MS))
        err = err_because(ERR_DEADLINE, "order does not come to know the items");
    http_client_free(admin);
    http_client_free(knowing.client);
    return err;
}

static enum err start_threads(struct customers *customers)
{
    for (unsigned i = 0; i < customers->opts.count; i++) {
        struct customer *customer = &customers->list[i];
        if (pthread_create(&customer->thread, NULL, customer_main, customer))
            return err_because(ERR_MEMORY, "no thread for a customer");
        customers->started++;
    }
    return ERR_NONE;
}

enum err customers_start(const struct customers_opts *opts, struct customers **ret)
{
    struct customers *customers = calloc(1, sizeof *customers);
    assert(customers && opts->count > 0);
    customers->opts = *opts;
    customers->list = calloc(opts->count, sizeof *customers->list);
    assert(customers->list);
    pthread_mutex_init(&customers->lock, NULL);
    pthread_cond_init(&customers->begin, NULL);
    enum err err = ERR_NONE;
    for (unsigned i = 0; i < opts->count && !err; i++) {
        struct customer *customer = &customers->list[i];
        customer->customers = customers;
        customer->number = i;
        customer->chance = chance_of(opts->seed, i);
        customer->token = system_new_customer(opts->system, &customer->id);
        if (!customer->token)
            err = err_because(ERR_INTERNAL, "no account: %.300s", err_cause());
    }
    if (!err)
        err = make_items(customers);
    if (!err)
        err = start_threads(customers);
    if (err)
        customers_stop(customers);
    else
        *ret = customers;
    return err;
}

/* ---- from outside ---- */

void customers_begin(struct customers *customers, unsigned steps)
{
    pthread_mutex_lock(&customers->lock);
    customers->round++;
    customers->steps = steps;
    atomic_fetch_add(&customers->open, steps * customers->opts.count);
    pthread_cond_broadcast(&customers->begin);
    pthread_mutex_unlock(&customers->lock);
}

unsigned customers_done(const struct customers *customers)
{
    return atomic_load(&customers->done);
}

bool customers_are_idle(const struct customers *customers)
{
    return atomic_load(&customers->open) == 0;
}

unsigned customers_refused(const struct customers *customers)
{
    return atomic_load(&customers->refused);
}

unsigned customers_failed(const struct customers *customers, const char **ret_first)
{
    *ret_first = customers->first_failure;
    return atomic_load(&customers->failed);
}

void customers_stop(struct customers *customers)
{
    if (!customers)
        return;
    pthread_mutex_lock(&customers->lock);
    customers->over = true;
    pthread_cond_broadcast(&customers->begin);
    pthread_mutex_unlock(&customers->lock);
    for (unsigned i = 0; i < customers->started; i++)
        pthread_join(customers->list[i].thread, NULL);
    for (unsigned i = 0; i < customers->opts.count; i++) {
        http_client_free(customers->list[i].client);
        http_client_free(customers->list[i].admin);
        free(customers->list[i].token);
        free(customers->list[i].id);
    }
    pthread_cond_destroy(&customers->begin);
    pthread_mutex_destroy(&customers->lock);
    free(customers->list);
    free(customers);
}
