/*
 * Where events are: the bus, and what each service has set aside in its database, opened beside the services that use
 * them; and the options that choose among events. What goes wrong is said on standard error.
 */
#ifndef TANDEM_APPS_CTL_EVENTS_OPEN_H
#define TANDEM_APPS_CTL_EVENTS_OPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/ctl/db_files.h"
#include "events/bus.h"
#include "state/db.h"

/** Opens the bus of the settings for looking; false after a message. */
bool events_open_bus(const struct invocation *invocation, struct bus **ret);

/* A service's database. */
struct events_service {
    const char *group;                 /* its name, which is that of its group */
    struct db *db;
    struct db_connection *reader;
};

struct events_services {
    struct db_files files;
    struct events_service list[DB_FILES_MAX];
    size_t count;
};

/** Opens those that are there, of --group where that is given; to_change: for db_write() too. False after a message;
 *  events_services_close() in any case. */
bool events_services_open(const struct invocation *invocation, bool to_change, struct events_services *ret);
void events_services_close(struct events_services *services);

/** What --since or --until say: RFC 3339, or how long ago ("90s", "15m", "2h", "7d"); fallback without. False after a
 *  message. */
bool events_time(const struct invocation *invocation, const char *option, int64_t fallback_us, int64_t *ret_us);

/* ---- printing ---- */

/** Prints a text without what could move a terminal's cursor. */
void events_print(struct text text);

/** "12 s", "3 min", "5 h", "2 d" since then; "-" for 0. */
const char *events_age(int64_t since_us, char out[static 24]);

/** Prints JSON, which is well-formed, over several lines, each behind so many spaces but the first. */
void events_print_json(struct text json, unsigned spaces);

#endif
