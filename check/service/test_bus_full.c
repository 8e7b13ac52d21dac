/* A bus that fills up since a group does not read: it is told early, nothing is lost, and all goes on by itself once
 * the group has read. The group is this program's. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/harness/process.h"
#include "check/service/control.h"
#include "check/service/steps.h"
#include "check/service/variants.h"
#include "events/bus.h"

enum { MAX_BYTES = 1024 * 1024, DATA_BYTES = 16 * 1024, FILL_MAX = 1000, PATIENCE_MS = 30000, BATCH = 16, ORDERS = 4 };

static const char *const settings[] = {"bus.max_bytes=1048576", "bus.retention_s=0", NULL};

/* ---- who fills it, and does not read ---- */

static struct bus *open_bus(void)
{
    char url[512];
    struct bus *bus = NULL;
    snprintf(url, sizeof url, "embedded:%s/bus.db", system_folder(variant_system()));
    const struct bus_opts opts = {.url = url, .retention_s = 0, .max_bytes = MAX_BYTES, .busy_timeout_ms = PATIENCE_MS};
    CU_ASSERT_EQUAL_FATAL(bus_open(&opts, &bus), ERR_NONE);
    return bus;
}

/* Of a type that no service handles; returns how that went. */
static enum err plant(struct bus *bus)
{
    static char data[DATA_BYTES];
    char id[ID_SIZE];
    memset(data, 'x', sizeof data);
    data[0] = data[sizeof data - 1] = '"';
    const struct event event = {
        .id = text_of(id_new(id)), .type = TEXT("test.filled.v1"), .source = TEXT("/tandem/test"),
        .subject = TEXT("filling"), .time_us = clock_wall_us(), .data = {data, sizeof data},
    };
    return bus_publish(bus, &event, 1);
}

static void read_all(struct bus_subscription *group)
{
    struct bus_delivery deliveries[BATCH];
    struct arena arena;
    size_t count = 1;
    arena_init(&arena, 2 * BATCH * DATA_BYTES);
    while (count) {
        arena_reset(&arena);
        CU_ASSERT_EQUAL_FATAL(bus_fetch(group, 0, &arena, deliveries, BATCH, &count), ERR_NONE);
        if (count)
            CU_ASSERT_EQUAL(bus_acknowledge(group, deliveries[count - 1].offset), ERR_NONE);
    }
    arena_fini(&arena);
}

/* ---- what the services say ---- */

struct wanted {
    struct http_client *client;
    const char *path, *text;
};

static bool says(void *context)
{
    const struct wanted *wanted = context;
    return strstr(http_get(wanted->client, wanted->path)->body, wanted->text) != NULL;
}

static void expect(const char *path, const char *text)
{
    struct wanted wanted = {variant_anonymous(), path, text};
    if (!process_until(says, &wanted, PATIENCE_MS))
        CU_assertImplementation(CU_FALSE, __LINE__, text, path, "", CU_FALSE);
}

static void test_full(void)
{
    static const char *const types[] = {"test.filled.v", NULL};
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], ids[ORDERS][STEP_ID_SIZE];
    step_item(100, sku);
    struct bus *bus = open_bus();
    struct bus_subscription *group = NULL;
    CU_ASSERT_EQUAL_FATAL(bus_subscribe(bus, "test", types, &group), ERR_NONE);
    CU_ASSERT_EQUAL(step_metric("tandem_bus_max_bytes"), MAX_BYTES);
    expect("/order/healthz", "{\"name\":\"bus\",\"status\":\"ok\"");

    uint64_t used = 0, most = MAX_BYTES;
    for (int i = 0; i < FILL_MAX && used < most / 100 * 92; i++) {
        CU_ASSERT_EQUAL(plant(bus), ERR_NONE);
        CU_ASSERT_EQUAL_FATAL(bus_size(bus, &used, &most), ERR_NONE);
    }
    expect("/order/healthz", "{\"name\":\"bus\",\"status\":\"degraded\"");   /* early: events still get through */
    CU_ASSERT(step_metric("tandem_bus_size_bytes") > MAX_BYTES / 10 * 9);

    enum err err = ERR_NONE;
    for (int i = 0; i < FILL_MAX && !err; i++)
        err = plant(bus);
    CU_ASSERT_EQUAL(err, ERR_STORAGE_FULL);
    for (int i = 0; i < ORDERS; i++) {
        struct http_answer *answer = step_order(client, sku, 1, NULL);
        EXPECT_STATUS(answer, 201);                /* orders are taken all the same */
        snprintf(ids[i], sizeof ids[i], "%s", http_json_text(answer, "/id"));
    }
    char waiting[64];
    snprintf(waiting, sizeof waiting, "\ntandem_outbox_waiting %d\n", ORDERS);
    expect("/order/metrics", waiting);
    CU_ASSERT_TRUE(CONTROL("events", "lag", "--json"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "{\"service\":\"order\",\"outbox\":4,"));

    read_all(group);
    for (int i = 0; i < ORDERS; i++)
        step_await(client, ids[i], "paid");
    expect("/order/metrics", "\ntandem_outbox_waiting 0\n");
    expect("/order/healthz", "{\"name\":\"bus\",\"status\":\"ok\"");
    step_await_stock(sku, 100 - ORDERS, 0);
    bus_unsubscribe(group);
    bus_close(bus);
}

static const struct suite_case cases[] = {
    {"a full bus is told of early, loses nothing, and goes on once it was read", test_full},
};

int main(void)
{
    return variants_main("bus_full", cases, sizeof cases / sizeof cases[0], settings);
}
