/*
 * The system moves to another engine and back, with tandemctl db copy: its data are brought over while customers order,
 * then once more after it was stopped, and it goes on where they are now.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "check/service/control.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { ORDERS = 40, ORDERS_MAX = 4096, PATH_SIZE = 512, SETTINGS_SIZE = 8192 };

/* ---- customers ---- */

static struct {
    char sku[STEP_ID_SIZE];
    char ids[ORDERS_MAX][STEP_ID_SIZE];   /* of orders that were told to be placed */
    size_t count;
    atomic_bool over;
} placed;

static bool place(struct http_client *client)
{
    struct http_answer *order = step_order(client, placed.sku, 1, NULL);
    if (order->status != 201 || placed.count == ORDERS_MAX)
        return false;
    snprintf(placed.ids[placed.count++], STEP_ID_SIZE, "%s", http_json_text(order, "/id"));
    return true;
}

static void *go_on(void *context)
{
    while (!atomic_load(&placed.over) && place(context))
        continue;
    return NULL;
}

static void expect_all_there(struct http_client *client)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < placed.count; i++) {
        snprintf(path, sizeof path, "/v1/orders/%s", placed.ids[i]);
        EXPECT_STATUS(http_get(client, path), 200);
    }
}

/* ---- where the data are ---- */

static char in_file[PATH_SIZE], on_server[POSTGRES_URL_SIZE];   /* with "{service}" */

static const char *place_of(const char *pattern, const char *service)
{
    static char places[2][PATH_SIZE];
    static unsigned turn;
    char *out = places[turn++ % 2];
    const char *mark = strstr(pattern, "{service}");
    snprintf(out, PATH_SIZE, "%.*s%s%s", (int)(mark - pattern), pattern, service, mark + strlen("{service}"));
    return out;
}

/* Has the settings say so: the file of each service is said already, and a URL goes before it. */
static void settle(const char *url)
{
    char path[PATH_SIZE], line[SETTINGS_SIZE], kept[SETTINGS_SIZE] = "";
    snprintf(path, sizeof path, "%s/tandem.conf", system_folder(variant_system()));
    FILE *file = fopen(path, "r+");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "db = ", strlen("db = ")) != 0)
            strncat(kept, line, sizeof kept - strlen(kept) - 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(path, "w", file));
    if (*url)
        fprintf(file, "db = { url = \"%s\"; };\n", url);
    CU_ASSERT(fputs(kept, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void stop_services(void)
{
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++)
        CU_ASSERT_EQUAL_FATAL(system_service_down(variant_system(), i), ERR_NONE);
}

/* ---- moving ---- */

static void copy_all(const char *from, const char *to, bool unfinished)
{
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        const char *name = system_service_name(i);
        bool done = CONTROL("db", "copy", place_of(from, name), place_of(to, name), unfinished ? "--unfinished" : NULL);
        printf("# %s: %.200s\n", name, strstr(control_said, " holds what ") ? strstr(control_said, " holds what ")
                                                                           : control_said);
        CU_ASSERT_FATAL(done);
        CU_ASSERT_EQUAL(strstr(control_said, "it is unfinished") != NULL, unfinished);
    }
}

static void expect_same(const char *from, const char *to)
{
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        const char *name = system_service_name(i);
        CU_ASSERT(CONTROL("db", "digest", place_of(from, name)));
        char *first = strdup(control_said);
        CU_ASSERT(CONTROL("db", "digest", place_of(to, name)));
        CU_ASSERT_STRING_EQUAL(control_said, first);
        CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "inbox"));
        free(first);
    }
}

static void move(const char *from, const char *to, const char *url)
{
    struct http_client *client = variant_customer();
    size_t before = placed.count;
    pthread_t thread;
    atomic_store(&placed.over, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, go_on, client), 0);
    copy_all(from, to, true);
    atomic_store(&placed.over, true);
    pthread_join(thread, NULL);
    printf("# %zu orders were placed meanwhile\n", placed.count - before);
    CU_ASSERT(placed.count > before);

    stop_services();
    copy_all(from, to, false);
    expect_same(from, to);
    settle(url);
    CU_ASSERT_EQUAL_FATAL(system_revive(variant_system()), ERR_NONE);
    expect_all_there(client);
    CU_ASSERT(place(client));
    step_await(client, placed.ids[placed.count - 1], "paid");
    expect_all_there(client);
}

static void test_move(void)
{
    char again[POSTGRES_URL_SIZE], name[32];
    struct postgres *server = system_postgres(variant_system());
    snprintf(in_file, sizeof in_file, "sqlite:%s/{service}.db", system_folder(variant_system()));
    postgres_url(server, "tandem_{service}", on_server);
    postgres_url(server, "again_{service}", again);
    step_item(1000000, placed.sku);
    for (int i = 0; i < ORDERS; i++)
        CU_ASSERT_FATAL(place(variant_customer()));
    step_await(variant_customer(), placed.ids[ORDERS - 1], "paid");
    move(on_server, in_file, "");
    for (enum system_service i = 0; i < SYSTEM_SERVICES; i++) {
        snprintf(name, sizeof name, "again_%s", system_service_name(i));
        CU_ASSERT_EQUAL_FATAL(postgres_create(server, name), ERR_NONE);
    }
    move(in_file, again, again);
    CU_ASSERT(CONTROL("db", "check"));
    CU_ASSERT_PTR_NOT_NULL(strstr(control_said, "again_order"));
    CU_ASSERT(CONTROL("db", "digest", "order"));   /* by the settings' name */
}

static const struct suite_case cases[] = {
    {"all services move to SQLite and back to PostgreSQL, and nothing that was acknowledged is missing", test_move},
};

int main(void)
{
    static const char *const settings[] = {"log.level=warning", "health.cache_ms=0", NULL};
    return variants_main_on_postgresql("db copy", cases, sizeof cases / sizeof cases[0], settings, 1);
}
