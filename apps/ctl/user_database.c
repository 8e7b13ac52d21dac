#include "config.h"

#include "app/idempotency.h"
#include "apps/ctl/user_database.h"
#include "apps/user/store.h"
#include "events/consumer.h"

enum err user_database_change(const struct settings *settings, db_work *work, void *context)
{
    /* the same sets as the service itself has */
    const struct migration_set sets[] = {events_migrations, app_migrations, user_migrations};
    const struct db_opts opts = {
        .path = settings_text(settings, OPTION_DB_PATH),
        .batch_max = 1,
        .queue_max = 1,
        .busy_timeout_ms = (unsigned)settings_int(settings, OPTION_DB_BUSY_TIMEOUT_MS),
        .cache_kib = (unsigned)settings_int(settings, OPTION_DB_CACHE_KIB),
        .wal_checkpoint_bytes = (size_t)settings_int(settings, OPTION_DB_WAL_CHECKPOINT_BYTES),
        .wal_max_bytes = (size_t)settings_int(settings, OPTION_DB_WAL_MAX_BYTES),
    };
    struct db *db;
    if (opts.path[0] == '\0')
        return err_because(ERR_CONFIG, "db.path of the user service is not set");
    enum err err = db_open(&opts, &db);
    if (err)
        return err;
    err = migrate(db, sets, sizeof sets / sizeof sets[0]);
    if (!err)
        err = db_start(db);
    if (!err)
        err = db_write(db, work, context);
    db_close(db);
    return err;
}
