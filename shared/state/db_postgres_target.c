#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/db_postgres.h"

enum { NAME_SIZE = 512 };

/* When the URL does not say otherwise: a peer that has vanished without a word is noticed within seconds. */
static const struct {
    const char *keyword, *value;
} defaults[] = {
    {"client_encoding", "UTF8"},
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
    {"fallback_application_name", "tandem"},
};

static void add(struct postgres_target *target, const char *keyword, const char *value)
{
    if (target->count + 2 < POSTGRES_KEYWORDS) {   /* a place is for the password, one for the end */
        target->keywords[target->count] = keyword;
        target->values[target->count++] = value;
    }
}

static const char *value_of(const struct postgres_target *target, const char *keyword)
{
    for (size_t i = 0; i < target->count; i++)
        if (strcmp(target->keywords[i], keyword) == 0)
            return target->values[i];
    return NULL;
}

static char *name_target(const struct postgres_target *target)
{
    char name[NAME_SIZE];
    const char *host = value_of(target, "host"), *port = value_of(target, "port");
    const char *database = value_of(target, "dbname");
    snprintf(name, sizeof name, "postgresql://%s%s%s/%s", host ? host : "", port ? ":" : "", port ? port : "",
             database ? database : "");
    return strdup(name);
}

static enum err read_url(struct postgres_target *target, const char *url)
{
    char *said = NULL;
    target->given = PQconninfoParse(url, &said);
    enum err err = ERR_NONE;
    if (!target->given)   /* libpq quotes what it was given, which may hold a password */
        err = err_because(said ? ERR_CONFIG : ERR_MEMORY, "this is not a URL of PostgreSQL, "
                                                          "postgresql://USER@HOST:PORT/DATABASE?PARAMETER=VALUE");
    PQfreemem(said);
    return err;
}

enum err postgres_target_init(struct postgres_target *target, const char *url, const char *password_file)
{
    enum err err = read_url(target, url);
    if (err)
        return err;
    for (const PQconninfoOption *option = target->given; option->keyword; option++) {
        if (!option->val)
            continue;
        if (strcmp(option->keyword, "password") == 0)
            return err_because(ERR_CONFIG, "the URL holds a password, which everybody could read who sees settings or"
                                           " logs: put it into a file, db.password_file");
        add(target, option->keyword, option->val);
    }
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (!value_of(target, defaults[i].keyword))
            add(target, defaults[i].keyword, defaults[i].value);
    target->name = name_target(target);
    target->password_file = password_file && *password_file ? strdup(password_file) : NULL;
    bool whole = target->name && (target->password_file || !password_file || !*password_file);
    return whole ? ERR_NONE : err_because(ERR_MEMORY, "db.url: out of memory");
}

void postgres_target_fini(struct postgres_target *target)
{
    PQconninfoFree(target->given);
    free(target->name);
    free(target->password_file);
}
