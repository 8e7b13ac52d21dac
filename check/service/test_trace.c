/* One order is one trace through all services, its events and its payment, however it comes in. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { PATIENCE_MS = 20000, SPANS_MAX = 128, POINTER_SIZE = 160, ID_TEXT_SIZE = 40 };

/* The numbers of OTLP. */
enum { INTERNAL = 1, SERVER, CLIENT, PRODUCER, CONSUMER };
enum { UNSET = 0, ERROR = 2 };

static const char *const settings[] = {"trace.slow_ms=0", NULL};

/* ---- a trace, gathered from all services ---- */

struct seen {
    enum system_service service;
    char name[64], id[ID_TEXT_SIZE], parent[ID_TEXT_SIZE];
    int64_t kind, status, flags, start_ns, end_ns;
    char pointer[POINTER_SIZE];          /* where it stands in its service's answer */
    struct http_answer *answer;
};

#define PARENT_ID "b7ad6b7169203331"

struct trace {
    char id[ID_TEXT_SIZE];
    struct http_client *client;
    struct seen spans[SPANS_MAX];
    size_t count;
    const char *const *wanted;           /* names that have to be there, of any service; ends with NULL */
};

static const char *text_at(const struct seen *seen, const char *member)
{
    char pointer[2 * POINTER_SIZE];
    snprintf(pointer, sizeof pointer, "%s/%s", seen->pointer, member);
    return http_json_text(seen->answer, pointer);
}

static int64_t integer_at(const struct seen *seen, const char *member)
{
    char pointer[2 * POINTER_SIZE];
    snprintf(pointer, sizeof pointer, "%s/%s", seen->pointer, member);
    int64_t value = http_json_integer(seen->answer, pointer);
    return value == INT64_MIN ? 0 : value;
}

static void take(struct trace *trace, enum system_service service, struct http_answer *answer)
{
    static const char list[] = "/resourceSpans/0/scopeSpans/0/spans";
    int count = http_json_length(answer, list);
    for (int i = 0; i < count && trace->count < SPANS_MAX; i++) {
        struct seen *seen = &trace->spans[trace->count++];
        *seen = (struct seen){.service = service, .answer = answer};
        snprintf(seen->pointer, sizeof seen->pointer, "%s/%d", list, i);
        snprintf(seen->name, sizeof seen->name, "%s", text_at(seen, "name"));
        snprintf(seen->id, sizeof seen->id, "%s", text_at(seen, "spanId"));
        snprintf(seen->parent, sizeof seen->parent, "%s", text_at(seen, "parentSpanId"));
        seen->kind = integer_at(seen, "kind");
        seen->status = integer_at(seen, "status/code");
        seen->flags = integer_at(seen, "flags");
        seen->start_ns = strtoll(text_at(seen, "startTimeUnixNano"), NULL, 10);
        seen->end_ns = strtoll(text_at(seen, "endTimeUnixNano"), NULL, 10);
        CU_ASSERT_STRING_EQUAL(text_at(seen, "traceId"), trace->id);
    }
}

static const struct seen *find(const struct trace *trace, enum system_service service, const char *name,
                               const struct seen *parent)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct seen *seen = &trace->spans[i];
        if (seen->service == service && strcmp(seen->name, name) == 0 &&
            (!parent || strcmp(seen->parent, parent->id) == 0))
            return seen;
    }
    return NULL;
}

/* A part of a service comes to its memory as a whole, but some time after what followed from it may be seen. */
static bool has_orphan(const struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        const char *parent = trace->spans[i].parent;
        bool is_there = !*parent || strcmp(parent, PARENT_ID) == 0;
        for (size_t j = 0; j < trace->count && !is_there; j++)
            is_there = strcmp(trace->spans[j].id, parent) == 0;
        if (!is_there)
            return true;
    }
    return false;
}

static bool is_whole(void *context)
{
    struct trace *trace = context;
    char path[128];
    trace->count = 0;
    for (enum system_service service = 0; service < SYSTEM_SERVICES; service++) {
        snprintf(path, sizeof path, "/%s/traces/%s", system_service_name(service), trace->id);
        struct http_answer *answer = http_get(trace->client, path);
        if (answer->status == 200)
            take(trace, service, answer);
    }
    for (const char *const *name = trace->wanted; *name; name++) {
        bool is_there = false;
        for (enum system_service service = 0; service < SYSTEM_SERVICES; service++)
            is_there = is_there || find(trace, service, *name, NULL);
        if (!is_there)
            return false;
    }
    return !has_orphan(trace);
}

static void gather(struct trace *trace, const char *const *wanted)
{
    trace->wanted = wanted;
    trace->client = variant_anonymous();
    if (process_until(is_whole, trace, PATIENCE_MS))
        return;
    char said[1024] = "the trace has only:";
    for (size_t i = 0; i < trace->count; i++)
        snprintf(said + strlen(said), sizeof said - strlen(said), " %s", trace->spans[i].name);
    CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_TRUE);
}

/* The value of an attribute; "" when it has none of this name. */
static const char *attribute(const struct seen *seen, const char *key)
{
    static const char *const kinds[] = {"stringValue", "intValue"};
    static char value[512];
    char member[64];
    value[0] = '\0';
    for (int i = 0; i < 16 && !*value; i++) {
        snprintf(member, sizeof member, "attributes/%d/key", i);
        if (strcmp(text_at(seen, member), key) != 0)
            continue;
        for (int kind = 0; kind < 2 && !*value; kind++) {
            snprintf(member, sizeof member, "attributes/%d/value/%s", i, kinds[kind]);
            snprintf(value, sizeof value, "%s", text_at(seen, member));
        }
    }
    return value;
}

/* One that has to be there, under a parent, of this kind, and without fault. */
static const struct seen *expect(const struct trace *trace, enum system_service service, const char *name, int kind,
                                 const struct seen *parent)
{
    static const struct seen none;
    const struct seen *seen = find(trace, service, name, parent);
    char said[256];
    snprintf(said, sizeof said, "no \"%s\" of %s under \"%s\"", name, system_service_name(service),
             parent ? parent->name : "nothing");
    CU_assertImplementation(seen != NULL, __LINE__, said, __FILE__, "", CU_FALSE);
    if (!seen)
        return &none;
    CU_ASSERT_EQUAL(seen->kind, kind);
    CU_ASSERT_EQUAL(seen->status, UNSET);
    CU_ASSERT(seen->start_ns > 0 && seen->end_ns >= seen->start_ns);
    return seen;
}

static void expect_within(const struct seen *seen, const struct seen *parent)
{
    CU_ASSERT(seen->start_ns >= parent->start_ns);
    CU_ASSERT(seen->end_ns <= parent->end_ns);
}

static void expect_after(const struct seen *seen, const struct seen *cause)
{
    CU_ASSERT(seen->start_ns >= cause->start_ns);
}

/* ---- the order ---- */


static void new_trace(struct trace *trace)
{
    char id[ID_SIZE];
    size_t length = 0;
    id_new(id);
    for (const char *c = id; *c; c++)
        if (*c != '-')
            trace->id[length++] = *c;
    trace->id[length] = '\0';
    trace->count = 0;
}

/* Every span's parent is there, but that of the first, and nothing is told twice. */
static void expect_one_tree(const struct trace *trace, const char *root_parent)
{
    size_t roots = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct seen *seen = &trace->spans[i];
        size_t parents = 0, same = 0;
        for (size_t j = 0; j < trace->count; j++) {
            parents += strcmp(trace->spans[j].id, seen->parent) == 0;
            same += strcmp(trace->spans[j].id, seen->id) == 0;
        }
        CU_ASSERT_EQUAL(same, 1);
        if (strcmp(seen->parent, root_parent) == 0)
            roots++;
        else
            CU_ASSERT_EQUAL(parents, 1);
    }
    CU_ASSERT_EQUAL(roots, 1);
}

static const char *const order_spans[] = {
    "POST /v1/orders", "POST /v1/sessions/introspect", "produce order.placed.v1", "publish order.placed.v1",
    "consume order.placed.v1", "produce stock.reserved.v1", "publish stock.reserved.v1", "consume stock.reserved.v1",
    "payment", "charge", "produce order.paid.v1", "publish order.paid.v1", "consume order.paid.v1", NULL,
};

/* What the request itself did, up to the event. */
static const struct seen *expect_request(const struct trace *trace, const char *order_id)
{
    const struct seen *server = expect(trace, SYSTEM_ORDER, "POST /v1/orders", SERVER, NULL);
    CU_ASSERT_STRING_EQUAL(server->parent, PARENT_ID);
    CU_ASSERT_STRING_EQUAL(attribute(server, "http.request.method"), "POST");
    CU_ASSERT_STRING_EQUAL(attribute(server, "http.route"), "/v1/orders");
    CU_ASSERT_STRING_EQUAL(attribute(server, "http.response.status_code"), "201");
    CU_ASSERT_STRING_EQUAL(attribute(server, "url.scheme"), "http");
    CU_ASSERT_STRING_NOT_EQUAL(attribute(server, "tandem.request.id"), "");

    const struct seen *task = expect(trace, SYSTEM_ORDER, "task", INTERNAL, server);
    const struct seen *client = expect(trace, SYSTEM_ORDER, "POST", CLIENT, task);
    const struct seen *asked = expect(trace, SYSTEM_USER, "POST /v1/sessions/introspect", SERVER, client);
    const struct seen *query = expect(trace, SYSTEM_USER, "query", CLIENT, asked);
    const struct seen *transaction = expect(trace, SYSTEM_ORDER, "transaction", CLIENT, server);
    const struct seen *produce = expect(trace, SYSTEM_ORDER, "produce order.placed.v1", PRODUCER, transaction);
    expect_within(task, server);
    expect_within(client, task);
    expect_within(asked, client);
    expect_within(query, asked);
    expect_within(transaction, server);
    expect_within(produce, transaction);
    CU_ASSERT_STRING_EQUAL(attribute(query, "db.system.name"), "sqlite");
    CU_ASSERT_STRING_EQUAL(attribute(transaction, "db.namespace"), "order");
    CU_ASSERT_STRING_EQUAL(attribute(transaction, "tandem.order.id"), order_id);
    CU_ASSERT(strtol(attribute(transaction, "tandem.db.batch_size"), NULL, 10) >= 1);
    CU_ASSERT_STRING_EQUAL(attribute(produce, "messaging.destination.name"), "order.placed.v1");
    CU_ASSERT_STRING_EQUAL(attribute(produce, "messaging.operation.type"), "create");
    CU_ASSERT_STRING_EQUAL(attribute(client, "url.template"), "/v1/sessions/introspect");
    CU_ASSERT_STRING_EQUAL(attribute(client, "server.address"), "127.0.0.1");
    return produce;
}

/* An event on its way: published, and consumed with what follows. Returns the transaction of that. */
static const struct seen *expect_event(const struct trace *trace, const struct seen *produce, const char *type,
                                       enum system_service consumer)
{
    char name[64];
    snprintf(name, sizeof name, "publish %s", type);
    const struct seen *publish = expect(trace, produce->service, name, CLIENT, produce);
    snprintf(name, sizeof name, "consume %s", type);
    const struct seen *consume = expect(trace, consumer, name, CONSUMER, produce);
    const struct seen *transaction = expect(trace, consumer, "transaction", CLIENT, consume);
    expect_after(publish, produce);
    expect_after(consume, produce);
    expect_within(transaction, consume);
    CU_ASSERT_STRING_EQUAL(attribute(consume, "messaging.operation.type"), "process");
    CU_ASSERT_STRING_EQUAL(attribute(consume, "messaging.consumer.group.name"), system_service_name(consumer));
    char message_id[64];
    snprintf(message_id, sizeof message_id, "%s", attribute(produce, "messaging.message.id"));
    CU_ASSERT_STRING_EQUAL(attribute(consume, "messaging.message.id"), message_id);
    CU_ASSERT_STRING_EQUAL(attribute(publish, "messaging.message.id"), message_id);
    CU_ASSERT((consume->flags & 0x200) != 0);
    return transaction;
}

static void expect_order(const struct trace *trace, const char *order_id)
{
    const struct seen *placed = expect_request(trace, order_id);
    const struct seen *reserving = expect_event(trace, placed, "order.placed.v1", SYSTEM_INVENTORY);
    const struct seen *reserved =
        expect(trace, SYSTEM_INVENTORY, "produce stock.reserved.v1", PRODUCER, reserving);
    const struct seen *making_due = expect_event(trace, reserved, "stock.reserved.v1", SYSTEM_ORDER);
    const struct seen *payment = expect(trace, SYSTEM_ORDER, "payment", CONSUMER, making_due);
    const struct seen *charge = expect(trace, SYSTEM_ORDER, "charge", CLIENT, payment);
    const struct seen *recording = expect(trace, SYSTEM_ORDER, "transaction", CLIENT, payment);
    const struct seen *paid = expect(trace, SYSTEM_ORDER, "produce order.paid.v1", PRODUCER, recording);
    expect_event(trace, paid, "order.paid.v1", SYSTEM_INVENTORY);
    expect_after(payment, making_due);
    expect_within(charge, payment);
    expect_within(recording, payment);
    expect_within(paid, recording);
    CU_ASSERT(recording->start_ns >= charge->end_ns);
    CU_ASSERT_STRING_EQUAL(attribute(charge, "tandem.payment.outcome"), "approved");
    CU_ASSERT_STRING_EQUAL(attribute(charge, "tandem.attempts"), "1");
    CU_ASSERT_STRING_EQUAL(attribute(payment, "tandem.order.id"), order_id);
}

/* A customer whose token no service has seen, so that order has to ask whose it is. */
static void place(struct trace *trace, const char *method, char out[static STEP_ID_SIZE], char request[static ID_SIZE])
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE];
    step_item(5, sku);
    new_trace(trace);
    http_with(client, "traceparent: 00-%s-" PARENT_ID "-01", trace->id);
    http_with(client, "tracestate: vendor=1,other@vendor=x");
    struct http_answer *order = step_order(client, sku, 1, method);
    EXPECT_STATUS(order, 201);
    snprintf(out, STEP_ID_SIZE, "%s", http_json_text(order, "/id"));
    snprintf(request, ID_SIZE, "%s", http_answer_header(order, "X-Request-Id"));
}

static struct trace trace;

static void test_one_tree(void)
{
    char id[STEP_ID_SIZE], request[ID_SIZE];
    place(&trace, NULL, id, request);
    gather(&trace, order_spans);
    expect_one_tree(&trace, PARENT_ID);
    expect_order(&trace, id);
    const struct seen *server = find(&trace, SYSTEM_ORDER, "POST /v1/orders", NULL);
    const struct seen *asked = find(&trace, SYSTEM_USER, "POST /v1/sessions/introspect", NULL);
    CU_ASSERT_PTR_NOT_NULL(server);
    CU_ASSERT_PTR_NOT_NULL(asked);
    for (size_t i = 0; i < trace.count; i++)   /* by HTTP, by events, and by the payment */
        CU_ASSERT_STRING_EQUAL(text_at(&trace.spans[i], "traceState"), "vendor=1,other@vendor=x");
}

struct listing {
    struct http_client *client;
    const char *path;
    struct http_answer *latest;
};

/* What is kept is there a moment later; the payment's part may come first. */
static bool has_request(void *context)
{
    struct listing *listing = context;
    listing->latest = http_get(listing->client, listing->path);
    return strcmp(http_json_text(listing->latest, "/traces/0/root"), "POST /v1/orders") == 0;
}

/* Without a traceparent the trace begins here, and the order's id and the request's lead to it. */
static void test_found_by_order(void)
{
    struct http_client *client = variant_new_customer(), *anonymous = variant_anonymous();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], request[ID_SIZE], path[160];
    step_item(5, sku);
    struct http_answer *order = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(order, 201);
    snprintf(id, sizeof id, "%s", http_json_text(order, "/id"));
    snprintf(request, sizeof request, "%s", http_answer_header(order, "X-Request-Id"));
    step_await(client, id, "paid");
    snprintf(path, sizeof path, "/order/traces?of=%s", id);
    struct listing listing = {anonymous, path, NULL};
    CU_ASSERT_TRUE(process_until(has_request, &listing, PATIENCE_MS));
    struct http_answer *list = listing.latest;
    CU_ASSERT_EQUAL(http_json_length(list, "/traces"), 1);
    snprintf(trace.id, sizeof trace.id, "%s", http_json_text(list, "/traces/0/trace_id"));
    CU_ASSERT_STRING_EQUAL(http_json_text(list, "/traces/0/root"), "POST /v1/orders");
    CU_ASSERT_STRING_EQUAL(http_json_text(list, "/traces/0/status"), "ok");
    CU_ASSERT(http_json_integer(list, "/traces/0/spans") >= 3);
    snprintf(path, sizeof path, "/order/traces?of=%s", request);
    list = http_get(anonymous, path);
    CU_ASSERT_STRING_EQUAL(http_json_text(list, "/traces/0/trace_id"), trace.id);
    gather(&trace, order_spans);
    expect_one_tree(&trace, "");
}

static void test_declined(void)
{
    static const char *const wanted[] = {"charge", "consume order.cancelled.v1", "produce stock.released.v1", NULL};
    char id[STEP_ID_SIZE], request[ID_SIZE];
    place(&trace, "sandbox_decline", id, request);
    gather(&trace, wanted);
    const struct seen *charge = expect(&trace, SYSTEM_ORDER, "charge", CLIENT, NULL);
    CU_ASSERT_STRING_EQUAL(attribute(charge, "tandem.payment.outcome"), "declined");
    expect_one_tree(&trace, PARENT_ID);
}

/* The gateway does not answer at first: an error, and a second part under the same parent. */
static void test_asked_again(void)
{
    static const char *const wanted[] = {"consume order.paid.v1", NULL};
    char id[STEP_ID_SIZE], request[ID_SIZE];
    place(&trace, "sandbox_timeout_once", id, request);
    gather(&trace, wanted);
    expect_one_tree(&trace, PARENT_ID);
    size_t asked = 0, failed = 0;
    for (size_t i = 0; i < trace.count; i++) {
        bool is_charge = strcmp(trace.spans[i].name, "charge") == 0;
        asked += is_charge;
        failed += is_charge && trace.spans[i].status == ERROR;
    }
    CU_ASSERT_EQUAL(asked, 2);
    CU_ASSERT_EQUAL(failed, 1);
}

/* ---- what is asked, and who may ---- */

static void test_list(void)
{
    struct http_client *client = variant_anonymous();
    for (enum system_service service = 0; service < SYSTEM_SERVICES; service++) {
        char path[64];
        snprintf(path, sizeof path, "/%s/traces?limit=2", system_service_name(service));
        struct http_answer *answer = http_get(client, path);
        EXPECT_STATUS(answer, 200);
        CU_ASSERT_EQUAL(http_json_length(answer, "/traces"), 2);
        CU_ASSERT_EQUAL(strlen(http_json_text(answer, "/traces/0/trace_id")), 32);
        CU_ASSERT(strcmp(http_json_text(answer, "/traces/0/start"), "2000") > 0);
        snprintf(path, sizeof path, "/%s/traces?limit=0", system_service_name(service));
        EXPECT_STATUS(http_get(client, path), 422);
        snprintf(path, sizeof path, "/%s/traces/%032d", system_service_name(service), 1);
        EXPECT_PROBLEM(http_get(client, path), 404, "not-found");
        snprintf(path, sizeof path, "/%s/traces/zz", system_service_name(service));
        EXPECT_STATUS(http_get(client, path), 422);
    }
}

/* Probes come all the time, and would push what matters out. */
static void test_probes(void)
{
    struct http_client *client = variant_anonymous();
    for (int i = 0; i < 5; i++) {
        EXPECT_STATUS(http_get(client, "/order/ping"), 200);
        EXPECT_STATUS(http_get(client, "/order/readyz"), 200);
        EXPECT_STATUS(http_get(client, "/order/metrics"), 200);
    }
    struct http_answer *answer = http_get(client, "/order/traces?limit=200");
    CU_ASSERT_PTR_NULL(strstr(answer->body, "/ping"));
    CU_ASSERT_PTR_NULL(strstr(answer->body, "/readyz"));
    CU_ASSERT_PTR_NULL(strstr(answer->body, "/traces\""));
    answer = http_get(client, "/order/metrics");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, "\ntandem_trace_spans_total "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, "\ntandem_trace_spans_dropped_total{reason=\"queue_full\"} 0\n"));
}

/* A path that no route has is not told of, nor is anything else that a stranger can make up. */
static void test_names(void)
{
    static const char *const wanted[] = {"GET", NULL};
    struct http_client *client = variant_anonymous();
    new_trace(&trace);
    http_with(client, "traceparent: 00-%s-" PARENT_ID "-01", trace.id);
    http_with(client, "User-Agent: made-up");
    EXPECT_STATUS(http_get(client, "/v1/orders/a/made-up/path?made=up"), 404);
    gather(&trace, wanted);
    CU_ASSERT_EQUAL(trace.count, 1);
    CU_ASSERT_PTR_NULL(strstr(trace.spans[0].answer->body, "made"));
    CU_ASSERT_STRING_EQUAL(attribute(&trace.spans[0], "http.response.status_code"), "404");
    CU_ASSERT_EQUAL(trace.spans[0].status, UNSET);
}

static const struct suite_case cases[] = {
    {"an order is one tree over all services, with events and payment", test_one_tree},
    {"an order's trace begins without a caller's, and is found by its id", test_found_by_order},
    {"a declined payment is no error", test_declined},
    {"a payment that is asked for again is two parts of one trace", test_asked_again},
    {"recent traces are listed, and others are not there", test_list},
    {"probes are not kept", test_probes},
    {"no name is made of what a client sent", test_names},
};

int main(void)
{
    return variants_main("trace", cases, sizeof cases / sizeof cases[0], settings);
}
