#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/idempotency.h"
#include "apps/ctl/commands.h"
#include "apps/ctl/db_files.h"
#include "conf/option.h"
#include "events/consumer.h"

enum { ARENA_MAX = 256 * 1024 };

static const char EMBEDDED[] = "embedded:";

/* Each stands in its application's store.h, which cannot be had together. */
extern const struct migration_set user_migrations, order_migrations, inventory_migrations, bus_migrations,
    sandbox_migrations;

static const struct {
    const char *service;
    const struct migration_set *set;
} services[] = {
    {"user", &user_migrations}, {"order", &order_migrations}, {"inventory", &inventory_migrations},
};

static bool add(struct db_files *files, const char *name, const char *path, const struct migration_set *const *sets,
                size_t set_count)
{
    struct db_file *file = &files->list[files->count];
    if (!name || !path) {
        invocation_failure("no memory for the names of databases");
        return false;
    }
    *file = (struct db_file){.name = name, .path = path, .set_count = set_count};
    for (size_t i = 0; i < set_count; i++)
        file->sets[i] = sets[i];
    files->count++;
    return true;
}

static const struct migration_set *set_of(const char *service)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (strcmp(services[i].service, service) == 0)
            return services[i].set;
    return NULL;
}

bool db_sets_of(const char *service, struct migration_set sets[static DB_SETS_MAX])
{
    const struct migration_set *own = set_of(service);
    if (!own)
        return false;
    sets[0] = events_migrations;
    sets[1] = app_migrations;
    sets[2] = *own;
    return true;
}

static bool add_service(struct db_files *files, const char *service, const struct settings *settings)
{
    const struct migration_set *const sets[] = {&events_migrations, &app_migrations, set_of(service)};
    struct database_settings given;
    database_settings(settings, service, &given);
    const char *path = *given.url ? given.url : given.opts.path;
    if (*path == '\0') {
        invocation_failure("neither db.path nor db.url of the %s service is set", service);
        return false;
    }
    bool done = add(files, arena_printf(&files->arena, "%s.db", service), arena_string(&files->arena, text_of(path)),
                    sets, DB_SETS_MAX);
    if (done) {
        files->list[files->count - 1].service = service;
        files->list[files->count - 1].settings = settings;
        files->list[files->count - 1].is_server = database_is_server(settings);
    }
    return done;
}

/* As the order service finds it: beside its own database, unless it is said. */
static const char *ledger_path(struct db_files *files, const struct settings *settings)
{
    const char *given = settings_text(settings, OPTION_PAYMENT_SANDBOX_FILE);
    const char *path = settings_text(settings, OPTION_DB_PATH), *slash = strrchr(path, '/');
    if (*given)
        return arena_string(&files->arena, text_of(given));
    return arena_printf(&files->arena, "%.*spayments.db", slash ? (int)(slash - path) + 1 : 0, path);
}

/* There is none before the first order service has started, and none when the gateway is another one. */
static bool add_ledger(struct db_files *files, const struct settings *settings)
{
    const struct migration_set *const sets[] = {&sandbox_migrations};
    if (strcmp(settings_text(settings, OPTION_PAYMENT_DRIVER), "sandbox") != 0)
        return true;
    return add(files, "payments.db", ledger_path(files, settings), sets, 1);
}

static bool add_bus(struct db_files *files, const struct settings *settings)
{
    const struct migration_set *const sets[] = {&bus_migrations};
    const char *url = settings_text(settings, OPTION_BUS_URL);
    if (strncmp(url, EMBEDDED, strlen(EMBEDDED)) != 0)
        return true;
    return add(files, "bus.db", arena_string(&files->arena, text_of(url + strlen(EMBEDDED))), sets, 1);
}

bool db_files_find(const struct invocation *invocation, struct db_files *files)
{
    *files = (struct db_files){.count = 0};
    arena_init(&files->arena, ARENA_MAX);
    bool done = true;
    for (size_t i = 0; option_services[i] && done; i++) {
        struct settings *settings = load_settings(invocation, option_services[i]);
        done = settings && add_service(files, option_services[i], settings);
        files->settings[i] = settings;   /* to be given back with the files */
        if (done && strcmp(option_services[i], "order") == 0)
            done = add_ledger(files, settings);
        if (done && !option_services[i + 1])
            done = add_bus(files, settings);
        if (done)
            files->busy_timeout_ms = (unsigned)settings_int(settings, OPTION_DB_BUSY_TIMEOUT_MS);
    }
    return done;
}

void db_file_opts(const struct db_file *file, struct database_settings *ret)
{
    database_settings_for_command(file->settings, file->service, ret);
    if (!file->is_server)
        ret->opts.path = file->path, ret->opts.url = NULL;   /* that of a backup, for one */
}

bool db_files_are_files(const struct db_files *files, const char *help)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->list[i].is_server) {
            invocation_failure("%s: %s", files->list[i].path, help);
            return false;
        }
    }
    return true;
}

void db_files_fini(struct db_files *files)
{
    for (size_t i = 0; i < DB_FILES_MAX; i++)
        settings_unref(files->settings[i]);
    arena_fini(&files->arena);
}
