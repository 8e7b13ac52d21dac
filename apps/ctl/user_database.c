#include "config.h"

#include "app/database_settings.h"
#include "app/idempotency.h"
#include "apps/ctl/user_database.h"
#include "apps/user/store.h"
#include "events/consumer.h"

enum err user_database_change(const struct settings *settings, db_work *work, void *context)
{
    /* the same sets as the service itself has */
    const struct migration_set sets[] = {events_migrations, app_migrations, user_migrations};
    struct database_settings given;
    struct db *db;
    database_settings_for_command(settings, "user", &given);
    if (!*given.url && !*given.opts.path)
        return err_because(ERR_CONFIG, "neither db.path nor db.url of the user service is set");
    enum err err = db_open(&given.opts, &db);
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
