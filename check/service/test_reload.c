/* Settings that change while the system works: in effect within a second, with no request that fails. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/crowd.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum {
    CLIENTS = 64,
    WARM_REQUESTS = 500,         /* before the change, so that it falls into the middle */
    LIVE_MS = 1000,
    SLOW_LIVE_MS = 5000,         /* under valgrind and sanitizers */
    AFTER_NS = 300 * NS_PER_MS,  /* that the load goes on after the time is up */
    ITEMS = 8, BEFORE = 3, AFTER = 6, LATER = 4,
    FILE_MAX = 8192, PATH_SIZE = 512,
};

static const char *path_of(const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, PATH_SIZE, "%s/%s", system_folder(variant_system()), name);
    return path;
}

/* ---- the file: as the system was started with, and a page size ---- */

static char original[FILE_MAX];

static void read_original(void)
{
    FILE *file = fopen(path_of("tandem.conf"), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    original[fread(original, 1, sizeof original - 1, file)] = '\0';
    fclose(file);
    CU_ASSERT_PTR_NULL(strstr(original, "page ="));
}

static void write_settings(const char *path, unsigned page)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "%spage = { limit_default = %u; };\n", original, page);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
}

static int rows_of(const char *body)
{
    int rows = 0;
    for (const char *at = body; (at = strstr(at, "\"sku\":")) != NULL; at++)
        rows++;
    return rows;
}

static bool page_is(void *context)
{
    const int *rows = context;
    return http_json_length(http_get(variant_anonymous(), "/v1/items"), "/items") == *rows;
}

static void await_page(int rows)
{
    CU_ASSERT(process_until(page_is, &rows, SLOW_LIVE_MS));
}

static void make_items(void)
{
    static const struct variant *made_in;
    char sku[STEP_ID_SIZE];
    for (int i = 0; made_in != variant_now() && i < ITEMS; i++)
        step_item(1, sku);
    made_in = variant_now();
}

/* ---- under load ---- */

struct load {
    struct crowd crowd;
    void (*change)(void);
    int before, after;           /* rows of a page */
    unsigned made, answered, failed, odd, late;
    int64_t changed_ns, live_ns;
};

static int64_t allowed_ns(void)
{
    return (system_is_slow() ? SLOW_LIVE_MS : LIVE_MS) * NS_PER_MS;
}

static void make_request(unsigned number, struct crowd_request *request, void *context)
{
    struct load *load = context;
    load->made = number + 1;
    snprintf(request->path, sizeof request->path, "/v1/items");
}

/* Ends the load when the change has been in effect for a while, or has had its time. */
static void note_answer(unsigned number, int status, const char *body, void *context)
{
    struct load *load = context;
    int64_t now_ns = clock_now_ns();
    int rows = rows_of(body);
    (void)number;
    load->failed += status != 200;
    load->odd += status == 200 && rows != load->before && rows != load->after;
    if (++load->answered == WARM_REQUESTS) {
        load->changed_ns = now_ns;
        load->change();
    }
    if (load->changed_ns && rows == load->after && !load->live_ns)
        load->live_ns = now_ns;
    if (load->changed_ns && now_ns - load->changed_ns > allowed_ns()) {
        load->late += rows != load->after;
        if (now_ns - load->changed_ns > allowed_ns() + AFTER_NS)
            load->crowd.requests = load->made;
    }
}

static void run_load(void (*change)(void), int before, int after)
{
    struct load load = {.change = change, .before = before, .after = after};
    load.crowd = (struct crowd){system_url(variant_system()), CLIENTS, 100000000, &load, make_request, note_answer,
                                NULL};
    CU_ASSERT_EQUAL(crowd_run(&load.crowd), 0);
    CU_ASSERT_EQUAL(load.failed, 0);
    CU_ASSERT_EQUAL(load.odd, 0);
    CU_ASSERT_EQUAL(load.late, 0);
    CU_ASSERT(load.live_ns != 0 && load.live_ns - load.changed_ns <= allowed_ns());
    printf("# %s: in effect after %lld ms, %u requests, %u failed\n", variant_now()->name,
           (long long)((load.live_ns - load.changed_ns) / NS_PER_MS), load.answered, load.failed);
}

/* ---- written in place, and by a swap of ..data ---- */

static void write_in_place(void)
{
    write_settings(path_of("tandem.conf"), AFTER);
}

static void test_written(void)
{
    read_original();
    make_items();
    write_settings(path_of("tandem.conf"), BEFORE);
    await_page(BEFORE);
    run_load(write_in_place, BEFORE, AFTER);
}

static void deliver(const char *version, unsigned page)
{
    char name[64];
    CU_ASSERT_EQUAL_FATAL(mkdir(path_of(version), 0700), 0);
    snprintf(name, sizeof name, "%s/tandem.conf", version);
    write_settings(path_of(name), page);
    CU_ASSERT_EQUAL_FATAL(symlink(version, path_of("..data_tmp")), 0);
    CU_ASSERT_EQUAL_FATAL(rename(path_of("..data_tmp"), path_of("..data")), 0);
}

static void swap(void)
{
    deliver("..2", LATER);
}

static void test_swapped(void)
{
    deliver("..1", AFTER);
    CU_ASSERT_EQUAL_FATAL(symlink("..data/tandem.conf", path_of("link")), 0);
    CU_ASSERT_EQUAL_FATAL(rename(path_of("link"), path_of("tandem.conf")), 0);
    await_page(AFTER);
    run_load(swap, AFTER, LATER);
}

/* ---- a broken file ---- */

static bool is_degraded(void *context)
{
    struct http_answer *answer = http_get(variant_anonymous(), "/inventory/readyz");
    return answer->status == 200 && (strstr(answer->body, "tandem.conf:1: ") != NULL) == (context != NULL);
}

static void test_broken(void)
{
    int rows = LATER;
    FILE *file = fopen(path_of("tandem.conf"), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("page = { limit_default = ; };\n", file);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
    CU_ASSERT(process_until(is_degraded, original, SLOW_LIVE_MS));
    CU_ASSERT(page_is(&rows));
    write_settings(path_of("tandem.conf"), AFTER);
    await_page(AFTER);
    CU_ASSERT(process_until(is_degraded, NULL, SLOW_LIVE_MS));
}

static const struct suite_case cases[] = {
    {"a value changed under load is in effect within a second, and no request fails", test_written},
    {"so is one that comes by a swap of ..data", test_swapped},
    {"a broken file is told, and changes nothing", test_broken},
};

int main(void)
{
    return variants_main("reload", cases, sizeof cases / sizeof cases[0], NULL);
}
