#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/db_place.h"
#include "conf/option.h"

/* Of a database that no settings tell of. */
enum {
    BUSY_TIMEOUT_MS = 10000, CONNECT_TIMEOUT_MS = 5000, CACHE_KIB = 16 * 1024,
    CHECKPOINT_BYTES = 16 * 1024 * 1024, LOG_MAX_BYTES = 64 * 1024 * 1024,
};

#define SQLITE "sqlite:"

static bool is_service(const char *name)
{
    for (size_t i = 0; option_services[i]; i++)
        if (strcmp(option_services[i], name) == 0)
            return true;
    return false;
}

static bool is_server(const char *name)
{
    return strncmp(name, "postgres", strlen("postgres")) == 0 && strstr(name, "://");
}

static void by_name(struct db_place *place, const struct invocation *invocation)
{
    bool is_url = is_server(place->name);
    bool has_scheme = strncmp(place->name, SQLITE, strlen(SQLITE)) == 0;
    place->given.opts = (struct db_opts){
        .url = is_url ? place->name : NULL,
        .path = place->name + (has_scheme ? strlen(SQLITE) : 0),
        .password_file = is_url ? invocation_value(invocation, "password-file") : NULL,
        .batch_max = 1, .queue_max = 1,
        .busy_timeout_ms = BUSY_TIMEOUT_MS,
        .cache_kib = CACHE_KIB,
        .wal_checkpoint_bytes = CHECKPOINT_BYTES,
        .wal_max_bytes = LOG_MAX_BYTES,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .start_timeout_ms = CONNECT_TIMEOUT_MS,
    };
}

/* A copy takes longer than a request: its statements have no deadline. */
static bool by_service(struct db_place *place, const struct invocation *invocation)
{
    place->settings = load_settings(invocation, place->name);
    if (!place->settings)
        return false;
    database_settings_for_command(place->settings, place->name, &place->given);
    place->given.opts.statement_timeout_ms = 0;
    if (*place->given.url || *place->given.opts.path)
        return true;
    invocation_failure("neither db.path nor db.url of the %s service is set", place->name);
    return false;
}

static bool is_file(const struct db_opts *opts)
{
    return !opts->url || !is_server(opts->url);
}

static const char *path_of(const struct db_opts *opts)
{
    return opts->url && *opts->url ? opts->url + strlen(SQLITE) : opts->path;
}

bool db_place_open(struct db_place *place, const struct invocation *invocation, const char *name, bool may_make)
{
    const struct db_opts *opts = &place->given.opts;
    *place = (struct db_place){.name = name};
    if (!is_service(name))
        by_name(place, invocation);
    else if (!by_service(place, invocation))
        return false;
    if (!may_make && is_file(opts) && access(path_of(opts), F_OK) != 0) {
        invocation_failure("%s: %s", path_of(opts), strerror(errno));
        return false;
    }
    if (db_open(opts, &place->db) == ERR_NONE)
        return true;
    invocation_failure("%s", err_cause());
    return false;
}

void db_place_fini(struct db_place *place)
{
    db_close(place->db);
    settings_unref(place->settings);
}

bool db_place_sets(struct db_place *place, struct migration_set sets[static DB_SETS_MAX])
{
    bool has = false;
    enum err err = ERR_NONE;
    for (size_t i = 0; option_services[i] && !err && !has; i++)
        if (db_sets_of(option_services[i], sets))
            err = migrate_has(place->db, sets[DB_SETS_MAX - 1].name, &has);
    if (!err && !has)
        err = err_because(ERR_STORAGE, "%s is not the database of a service: it has the migrations of none",
                          place->name);
    if (err)
        invocation_failure("%s", err_cause());
    return !err;
}
