/* What is looked at to tell a service's health. All but the quick ones run on threads of their own (app/checks.h). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "app/auth.h"
#include "app/database_settings.h"
#include "app/health.h"
#include "app/reload.h"
#include "app/service.h"
#include "base/clock.h"
#include "base/id.h"

enum { STEP_NS = NS_PER_MS, BUS_NEARLY_FULL_PERCENT = 90 };

/* A live option, as it is now. */
static int64_t number(struct service *service, enum option_id option)
{
    struct settings *settings = current_take(&service->current);
    int64_t value = settings_int(settings, option);
    settings_unref(settings);
    return value;
}

/* ---- the process ---- */

/* The lowest descriptor that is free is found without walking through those that are not. */
static enum err check_process(void *context)
{
    struct service *service = context;
    struct rlimit limit;
    int fd = fcntl(service->listener.fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || errno != EMFILE)
        return ERR_NONE;
    getrlimit(RLIMIT_NOFILE, &limit);
    return err_because(ERR_IO, "all %llu descriptors are in use", (unsigned long long)limit.rlim_cur);
}

/* The server may be starting: its lanes serve a moment before it is known. */
static enum err check_lanes(void *context)
{
    const struct timespec step = {.tv_nsec = STEP_NS};
    struct service *service = context;
    int64_t until_ns = clock_now_ns() + number(service, OPTION_HEALTH_LOCAL_TIMEOUT_MS) * NS_PER_MS;
    unsigned loops = 0, silent = 1;
    struct server *server = atomic_load(&service->server);
    if (server)
        server_nudge(server);
    while (silent && clock_now_ns() < until_ns) {
        nanosleep(&step, NULL);
        if (server)
            silent = server_silent(server, &loops);
        else if ((server = atomic_load(&service->server)))
            server_nudge(server);
    }
    return silent ? err_because(ERR_DEADLINE, "of %u reactors %u do not run", loops, silent) : ERR_NONE;
}

/* ---- what it holds ---- */

static enum err write_beat(struct db_connection *connection, void *context)
{
    (void)context;
    enum err err = db_in_place(connection);
    if (err)
        return err;
    struct db_statement *statement = db_query(connection, "INSERT INTO health (id, written_us) VALUES (1, $1)"
                                              " ON CONFLICT (id) DO UPDATE SET written_us = excluded.written_us");
    db_bind_int(statement, 1, clock_wall_us());
    return db_run(statement, NULL);
}

/* Through a writer, to the disk, as every change goes; on a server too. */
static enum err check_database(void *context)
{
    struct service *service = context;
    return db_write(service->db, write_beat, NULL);
}

static enum err check_space(const char *what, const char *path, int64_t least_bytes)
{
    struct statvfs file_system;
    if (statvfs(path, &file_system) < 0)
        return err_because(ERR_IO, "%s: %s", path, strerror(errno));
    unsigned long long free_bytes = (unsigned long long)file_system.f_bavail * file_system.f_frsize;
    if (free_bytes >= (unsigned long long)least_bytes)
        return ERR_NONE;
    return err_because(ERR_STORAGE_FULL, "%llu bytes are free for %s, and health.disk_free_min_bytes is %lld",
                       free_bytes, what, (long long)least_bytes);
}

static enum err check_disk(void *context)
{
    static const char embedded[] = "embedded:";
    struct service *service = context;
    int64_t least_bytes = number(service, OPTION_HEALTH_DISK_FREE_MIN_BYTES);
    const char *bus = settings_text(service->settings, OPTION_BUS_URL);
    enum err err = ERR_NONE;
    if (!database_is_server(service->settings))
        err = check_space("the database", settings_text(service->settings, OPTION_DB_PATH), least_bytes);
    if (!err && strncmp(bus, embedded, strlen(embedded)) == 0)
        err = check_space("the bus", bus + strlen(embedded), least_bytes);
    return err;
}

/* Past its size it takes no more events; until then they wait in the outbox. */
static enum err check_bus(void *context)
{
    struct service *service = context;
    uint64_t bytes, most;
    enum err err = bus_size(service->bus, &bytes, &most);
    if (err || most == 0 || bytes / BUS_NEARLY_FULL_PERCENT < most / 100)
        return err;
    return err_because(ERR_STORAGE_FULL, "the bus holds %llu bytes, and bus.max_bytes is %llu",
                       (unsigned long long)bytes, (unsigned long long)most);
}

/* ---- whether it takes requests, and what it needs ---- */

static enum err check_accepting(void *context)
{
    struct service *service = context;
    return atomic_load(&service->draining) ? err_because(ERR_CLOSED, "shutting down") : ERR_NONE;
}

static bool asks_user_service(const struct service *service)
{
    return service->auth != NULL;
}

/* With the token that it introspects with: that it is refused is as bad as nobody being there. */
static enum err check_user_service(void *context)
{
    struct service *service = context;
    char request_id[ID_SIZE];
    return auth_check(service->auth, text_of(id_new(request_id)), (unsigned)number(service, OPTION_USER_TIMEOUT_MS));
}

static bool consumes(const struct service *service)
{
    return service->consumer != NULL;
}

static enum err check_lag(void *context)
{
    struct service *service = context;
    uint64_t most = (uint64_t)number(service, OPTION_HEALTH_LAG_MAX);
    struct bus_lag lag;
    enum err err = consumer_lag(service->consumer, &lag);
    if (err || lag.events <= most)
        return err;
    return err_because(ERR_BUSY, "%llu events are yet to be handled, and health.lag_max is %llu",
                       (unsigned long long)lag.events, (unsigned long long)most);
}

/* What was wrong is not in effect, so the service is as good as before. */
static enum err check_settings(void *context)
{
    struct service *service = context;
    return reload_state(service->reload);
}

/* A needed service that is away makes this one degraded, not unready, unless told otherwise: what it knows already it
 * still serves, and taking it out of rotation would turn one failure into two. */
const struct health_row health_rows[] = {
    {{"process", CHECK_LOCAL, check_process}, HEALTH_HARD, true, NULL},
    {{"lanes", CHECK_LOCAL, check_lanes}, HEALTH_HARD, false, NULL},
    {{"database", CHECK_LOCAL, check_database}, HEALTH_HARD, false, NULL},
    {{"disk", CHECK_LOCAL, check_disk}, HEALTH_HARD, false, NULL},
    {{"bus", CHECK_LOCAL, check_bus}, HEALTH_SOFT, false, NULL},
    {{"accepting", CHECK_NEEDS, check_accepting}, HEALTH_HARD, true, NULL},
    {{"user-service", CHECK_NEEDS, check_user_service}, HEALTH_NEEDED, false, asks_user_service},
    {{"lag", CHECK_NEEDS, check_lag}, HEALTH_SOFT, false, consumes},
    {{"settings", CHECK_NEEDS, check_settings}, HEALTH_SOFT, true, NULL},
};
const size_t health_row_count = sizeof health_rows / sizeof health_rows[0];
