/*
 * Who makes up items does not have the database read, each request another one; and what is made is seen at once, in
 * each process, though all of them knew that it was not there. With ON_POSTGRESQL the state is there, and with FULL
 * there are more items than the filter has room for.
 */
#include "config.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/crowd.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum {
    WORKERS = 2, CLIENTS = 32, WARM = 5000, MADE_UP = 100000, ITEMS = 50, ASKED = 8, MADE = 10,
    GROWTH_MAX_KIB = 4096, SEEN_MAX_MS = 1000, PATIENCE_MS = 20000,
};

#ifndef FULL
#define FULL 0
#endif
#ifndef ON_POSTGRESQL
#define ON_POSTGRESQL 0
#endif

static const char *const settings[] = {
    "log.level=warning", FULL ? "cache.item_filter_keys=20" : "cache.item_filter_keys=200000", NULL};

/* The full number behind one front; a tenth behind the others, and where all is slow. */
static unsigned requests(void)
{
    return strcmp(variant_now()->name, "nginx, native") == 0 && !system_is_slow() ? MADE_UP : MADE_UP / 10;
}

/* ---- what is counted ---- */

static int64_t metric(const char *name)
{
    struct http_client *client = system_client(variant_system());
    struct http_answer *answer = http_get(client, "/inventory/metrics");
    char line[160];
    snprintf(line, sizeof line, "\n%s ", name);
    CU_ASSERT_EQUAL(answer->status, 200);
    const char *at = answer->status == 200 ? strstr(answer->body, line) : NULL;
    int64_t value = at ? strtoll(at + strlen(line), NULL, 10) : 0;
    http_client_free(client);
    return value;
}

/* A look that misses is a read of the database, and so is a page of a listing. */
static int64_t reads(void)
{
    return metric("tandem_cache_lookups_total{cache=\"item\",result=\"miss\"}") +
           metric("tandem_cache_filter_listings_total{cache=\"item\",outcome=\"new\"}") +
           metric("tandem_cache_filter_listings_total{cache=\"item\",outcome=\"all\"}");
}

static int64_t filtered(void)
{
    return metric("tandem_cache_lookups_total{cache=\"item\",result=\"filtered\"}");
}

/* Memory of all of inventory's processes that is in use. */
static int64_t resident_kib(void)
{
    pid_t pids[WORKERS];
    int64_t total = 0;
    CU_ASSERT_EQUAL(system_workers(variant_system(), SYSTEM_INVENTORY, pids, WORKERS), WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        char path[64];
        long long whole, resident = 0;
        snprintf(path, sizeof path, "/proc/%d/statm", (int)pids[i]);
        FILE *file = fopen(path, "re");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        CU_ASSERT_EQUAL(fscanf(file, "%lld %lld", &whole, &resident), 2);
        fclose(file);
        total += resident * (sysconf(_SC_PAGESIZE) / 1024);
    }
    return total;
}

/* ---- items that are not there ---- */

struct made_up {
    unsigned series, absent;
};

static void make_up(unsigned number, struct crowd_request *request, void *context)
{
    const struct made_up *made_up = context;
    request->method = "GET";
    snprintf(request->path, sizeof request->path, "/v1/items/made-up-%u-%u", made_up->series, number);
}

static void count_absent(unsigned number, int status, const char *body, void *context)
{
    struct made_up *made_up = context;
    (void)number;
    (void)body;
    made_up->absent += status == 404;
}

static unsigned ask_for_made_up(unsigned count, struct made_up *made_up)
{
    const struct crowd crowd = {.url = system_url(variant_system()), .clients = CLIENTS, .requests = count,
                                .context = made_up, .make = make_up, .answered = count_absent};
    *made_up = (struct made_up){.series = step_number()};
    CU_ASSERT_EQUAL(crowd_run(&crowd), 0);
    CU_ASSERT_EQUAL(made_up->absent, count);
    return made_up->series;
}

static int status_of(const char *sku)
{
    char path[96];
    snprintf(path, sizeof path, "/v1/items/%s", sku);
    struct http_client *client = system_client(variant_system());   /* a connection of its own, to whichever process */
    int status = http_get(client, path)->status;
    http_client_free(client);
    return status;
}

static void put_item(const char *sku)
{
    char path[96];
    snprintf(path, sizeof path, "/v1/items/%s", sku);
    EXPECT_STATUS(http_send(variant_admin(), "PUT", path,
                            "{\"name\":\"Tea\",\"price\":{\"amount_minor\":100,\"currency\":\"EUR\"}}"), 201);
}

static void put_items(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        char sku[STEP_ID_SIZE];
        snprintf(sku, sizeof sku, "there-%u", step_number());
        put_item(sku);
    }
}

static bool is_listed(void *context)
{
    (void)context;
    return metric("tandem_cache_filter_keys{cache=\"item\"}") >= ITEMS;
}

static void test_made_up(void)
{
    struct made_up made_up;
    unsigned count = requests();
    put_items();
    CU_ASSERT_TRUE(process_until(is_listed, NULL, PATIENCE_MS));
    ask_for_made_up(WARM, &made_up);
    int64_t reads_before = reads(), filtered_before = filtered(), kib_before = resident_kib();
    int64_t began_ns = clock_now_ns();
    ask_for_made_up(count, &made_up);
    int64_t took_ns = clock_now_ns() - began_ns;
    int64_t read = reads() - reads_before, answered = filtered() - filtered_before, kib = resident_kib() - kib_before;
    printf("# %s: %u requests for as many items that are not there, %d processes, %.0f a second: %lld reads, "
           "%lld answered by the filter, memory of all processes grew by %lld KiB\n", variant_now()->name, count,
           WORKERS, count / ((double)took_ns / NS_PER_S), (long long)read, (long long)answered, (long long)kib);
    CU_ASSERT(read <= count / 100);
    CU_ASSERT(answered >= count - count / 100);
    CU_ASSERT(kib <= GROWTH_MAX_KIB || system_is_slow());
}

/* Of those that were asked for, and were known not to be there. */
static void test_made(void)
{
    struct made_up made_up;
    unsigned series = ask_for_made_up(1000, &made_up), seen = 0;
    for (unsigned i = 0; i < MADE; i++) {
        char sku[STEP_ID_SIZE];
        snprintf(sku, sizeof sku, "made-up-%u-%u", series, i * 7);
        CU_ASSERT_EQUAL(status_of(sku), 404);
        put_item(sku);
        for (unsigned j = 0; j < ASKED; j++)
            seen += status_of(sku) == 200;
    }
    CU_ASSERT_EQUAL(seen, MADE * ASKED);
}

/* ---- made by nobody who would say so ---- */

static char elsewhere[STEP_ID_SIZE];

static void insert_item(void)
{
    char sql[400];
    sqlite3 *db = NULL;
    struct postgres *postgres = system_postgres(variant_system());
    long long now_us = clock_wall_us();
    snprintf(sql, sizeof sql, "INSERT INTO item (sku, name, price_minor, currency, version, updated_us, made_us)"
             " VALUES ('%s', 'Tea', 100, 'EUR', 1, %lld, %lld)", elsewhere, now_us, now_us);
    if (postgres) {
        CU_ASSERT_EQUAL(postgres_sql(postgres, "tandem_inventory", sql), ERR_NONE);
        return;
    }
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(system_database(variant_system(), SYSTEM_INVENTORY), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, PATIENCE_MS);
    CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static bool is_seen(void *context)
{
    (void)context;
    return status_of(elsewhere) == 200;
}

/* As a process does that is killed between its commit and what follows, or another machine. */
static void test_elsewhere(void)
{
    snprintf(elsewhere, sizeof elsewhere, "elsewhere-%u", step_number());
    CU_ASSERT_EQUAL(status_of(elsewhere), 404);
    insert_item();
    int64_t made_ns = clock_now_ns();
    CU_ASSERT_TRUE(process_until(is_seen, NULL, PATIENCE_MS));
    int64_t took_ms = (clock_now_ns() - made_ns) / NS_PER_MS;
    printf("# %s: what nobody told of was seen after %lld ms\n", variant_now()->name, (long long)took_ms);
    CU_ASSERT(took_ms <= SEEN_MAX_MS || system_is_slow());
    CU_ASSERT_EQUAL(status_of(elsewhere), 200);
}

/* ---- more than there is room for ---- */

static bool is_full(void *context)
{
    (void)context;
    CU_ASSERT_EQUAL(status_of("made-up"), 404);   /* which has it noticed */
    return metric("tandem_cache_filter_listings_total{cache=\"item\",outcome=\"full\"}") == 1;
}

static unsigned count_told(void)
{
    char path[200], line[2000];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/log/inventory.log", system_folder(variant_system()));
    FILE *file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file))
        count += strstr(line, "there are more items than cache.item_filter_keys") != NULL;
    fclose(file);
    return count;
}

static bool is_told(void *context)
{
    (void)context;
    return count_told() > 0;
}

static void test_full(void)
{
    struct made_up made_up;
    put_items();
    CU_ASSERT_TRUE(process_until(is_full, NULL, PATIENCE_MS));
    CU_ASSERT(metric("tandem_cache_filter_keys{cache=\"item\"}") >
              metric("tandem_cache_filter_keys_max{cache=\"item\"}"));
    int64_t reads_before = reads(), filtered_before = filtered();
    ask_for_made_up(WARM, &made_up);
    CU_ASSERT_EQUAL(reads() - reads_before, WARM);
    CU_ASSERT_EQUAL(filtered(), filtered_before);
    CU_ASSERT_TRUE(process_until(is_told, NULL, PATIENCE_MS));
    CU_ASSERT_EQUAL(count_told(), 1);
}

static const struct suite_case as_a_rule[] = {
    {"of requests for items that are not there, all different, one in a hundred is read at most", test_made_up},
    {"what is made is seen by every process at once", test_made},
    {"what is made by who is killed before he tells is seen within cache.item_absent_ttl_ms", test_elsewhere},
};

static const struct suite_case full[] = {
    {"with more items than the filter has room for absent ones are read, and it is said once", test_full},
    {"what is made is seen by every process at once", test_made},
};

int main(void)
{
    size_t count = sizeof as_a_rule / sizeof as_a_rule[0];
    if (FULL)
        return variants_main_supervised("absent_items_full", full, sizeof full / sizeof full[0], settings, WORKERS);
    return ON_POSTGRESQL
        ? variants_main_on_postgresql("absent_items_postgresql", as_a_rule, count, settings, WORKERS)
        : variants_main_supervised("absent_items", as_a_rule, count, settings, WORKERS);
}
