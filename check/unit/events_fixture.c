#include "config.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "check/unit/events_fixture.h"
#include "events/consumer.h"
#include "state/migrate.h"

struct event fixture_event(const char *type, const char *subject, int number)
{
    static _Thread_local struct {
        char id[32], data[16];
    } texts[64];
    static _Thread_local unsigned next;
    unsigned i = next++ % 64;
    snprintf(texts[i].id, sizeof texts[i].id, "event-%d", number);
    snprintf(texts[i].data, sizeof texts[i].data, "%d", number);
    return (struct event){.id = text_of(texts[i].id), .type = text_of(type), .source = TEXT("/test"),
                          .subject = text_of(subject), .time_us = clock_wall_us(), .data = text_of(texts[i].data)};
}

int fixture_number(const struct event *event)
{
    int64_t number = -1;
    enum err err = text_to_int(event->data, &number);
    return err ? -1 : (int)number;
}

struct bus_opts fixture_bus_opts(struct scratch *scratch)
{
    static char url[SCRATCH_PATH_SIZE + 16];
    snprintf(url, sizeof url, "embedded:%s", scratch_path(scratch, "bus.db"));
    return (struct bus_opts){.url = url, .retention_s = 3600, .max_bytes = 16 * 1024 * 1024, .busy_timeout_ms = 5000};
}

struct bus *fixture_bus_open(struct scratch *scratch)
{
    struct bus *bus = NULL;
    struct bus_opts opts = fixture_bus_opts(scratch);
    enum err err = bus_open(&opts, &bus);
    assert(!err);
    return bus;
}

struct db *fixture_db_open(struct scratch *scratch, const char *name)
{
    static const struct migration migrations[] = {
        {1, "001_effect", "CREATE TABLE effect (seen INTEGER PRIMARY KEY, number INTEGER, subject TEXT);", NULL}};
    const struct migration_set sets[] = {events_migrations, {"test", migrations, 1}};
    struct db *db = NULL;
    struct db_opts opts = scratch_db_opts(scratch_path(scratch, name));
    enum err err = db_open(&opts, &db);
    if (!err)
        err = migrate(db, sets, 2);
    if (!err)
        err = db_start(db);
    assert(!err);
    return db;
}
