#include "config.h"

#include <string.h>

#include "state/db_engine.h"

/* libpq knows its URLs by two names. */
static const struct {
    const char *scheme;
    const struct db_engine *engine;
} engines[] = {
    {"sqlite", &db_sqlite},
    {"postgresql", &db_postgres},
    {"postgres", &db_postgres},
};

static const struct db_engine *find(struct text scheme)
{
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (text_equal_string(scheme, engines[i].scheme))
            return engines[i].engine;
    return NULL;
}

enum err db_engine_find(const char *url, const struct db_engine **ret)
{
    const char *colon = strchr(url, ':');
    const struct db_engine *engine = *url ? NULL : &db_sqlite;
    if (colon)
        engine = find((struct text){url, (size_t)(colon - url)});
    if (!engine)
        return err_because(ERR_CONFIG, "db.url is postgresql://… or sqlite:PATH, or empty for the file at db.path");
    if (engine->absent)
        return err_because(ERR_CONFIG, "db.url: %s", engine->absent);
    *ret = engine;
    return ERR_NONE;
}
