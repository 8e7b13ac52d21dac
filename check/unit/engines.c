#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/unit/engines.h"
#include "check/unit/scratch.h"

enum { DATABASES_MAX = 16, NAME_SIZE = 32 };

static struct postgres *server;
static struct database {
    char name[NAME_SIZE], url[POSTGRES_URL_SIZE];
} databases[DATABASES_MAX];
static size_t database_count;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, err_cause());
    abort();
}

/* ---- a database for each path ---- */

static struct database *database_of(const char *path)
{
    char name[NAME_SIZE];
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *c = path; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    snprintf(name, sizeof name, "t_%016llx", (unsigned long long)hash);
    for (size_t i = 0; i < database_count; i++)
        if (strcmp(databases[i].name, name) == 0)
            return &databases[i];
    assert(database_count < DATABASES_MAX);
    struct database *made = &databases[database_count++];
    memcpy(made->name, name, sizeof name);
    postgres_url(server, name, made->url);
    if (postgres_create(server, name))
        fail("a database of the test");
    return made;
}

static const char *url_of(const char *path)
{
    return database_of(path)->url;
}

static void forget(void)
{
    while (database_count > 0)
        if (postgres_remove(server, databases[--database_count].name))
            fail("a database of the test");
}

const char *engines_database(const char *path)
{
    return database_of(path)->name;
}

/* ---- the engines ---- */

static const struct scratch_engine on_postgres = {url_of, forget};

static void begin_sqlite(void)
{
    scratch_use(NULL);
}

static void begin_postgres(void)
{
    if (postgres_start(false, &server))
        fail("PostgreSQL");
    scratch_use(&on_postgres);
}

static void end_postgres(void)
{
    scratch_use(NULL);
    postgres_stop(server);
    server = NULL;
}

static const struct suite_variant engines[] = {
    {.name = "sqlite", .begin = begin_sqlite},
    {.name = "postgresql", .missing = postgres_missing, .begin = begin_postgres, .end = end_postgres},
};

int engines_main(const char *suite, const struct suite_case *cases, size_t count)
{
    return suite_main_on(suite, engines, sizeof engines / sizeof engines[0], cases, count);
}

int engines_main_postgres(const char *suite, const struct suite_case *cases, size_t count)
{
    return suite_main_on(suite, &engines[1], 1, cases, count);
}

bool engines_is_sqlite(void)
{
    return server == NULL;
}

struct postgres *engines_postgres(void)
{
    return server;
}
