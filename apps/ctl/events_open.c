#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/bus_settings.h"
#include "apps/ctl/commands.h"
#include "apps/ctl/events_open.h"
#include "base/clock.h"
#include "conf/option.h"

/* ---- the bus ---- */

bool events_open_bus(const struct invocation *invocation, struct bus **ret)
{
    struct settings *settings = load_settings(invocation, option_services[0]);
    if (!settings)
        return false;
    struct bus_opts opts = bus_settings(settings);
    opts.only_looks = true;
    enum err err = bus_open(&opts, ret);
    settings_unref(settings);
    if (err)
        invocation_failure("the bus: %s", err_cause());
    return !err;
}

/* ---- the services ---- */

static bool is_service(const char *group)
{
    for (size_t i = 0; option_services[i]; i++)
        if (strcmp(option_services[i], group) == 0)
            return true;
    return false;
}

static bool open_service(struct events_services *services, const struct db_file *file, bool to_change)
{
    struct events_service *service = &services->list[services->count];
    struct migration_set sets[DB_SETS_MAX];
    struct database_settings given;
    db_file_opts(file, &given);
    for (size_t i = 0; i < file->set_count; i++)
        sets[i] = *file->sets[i];
    *service = (struct events_service){.group = file->service};
    services->count++;
    enum err err = db_open(&given.opts, &service->db);
    if (!err)
        err = migrate_check(service->db, sets, file->set_count);
    if (!err && to_change)
        err = db_start(service->db);
    if (!err)
        err = db_reader_open(service->db, &service->reader);
    if (err)
        invocation_failure("%s: %s", file->path, err_cause());
    return !err;
}

bool events_services_open(const struct invocation *invocation, bool to_change, struct events_services *ret)
{
    const char *only = invocation_value(invocation, "group");
    *ret = (struct events_services){.count = 0};
    if (!db_files_find(invocation, &ret->files))
        return false;
    if (only && !is_service(only)) {
        invocation_failure("--group %s: there is no such service; there are user, order and inventory", only);
        return false;
    }
    for (size_t i = 0; i < ret->files.count; i++) {
        const struct db_file *file = &ret->files.list[i];
        const char *group = file->service;
        if (!group || (only && strcmp(only, group) != 0) || (!file->is_server && access(file->path, F_OK) != 0))
            continue;
        if (!open_service(ret, file, to_change))
            return false;
    }
    if (ret->count == 0)
        invocation_failure("there is no database of %s%s where the settings say; see 'tandemctl conf print'",
                           only ? "the service " : "any service", only ? only : "");
    return ret->count > 0;
}

void events_services_close(struct events_services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        db_reader_close(services->list[i].reader);
        db_close(services->list[i].db);
    }
    services->count = 0;
    db_files_fini(&services->files);
}

/* ---- options ---- */

/* "15m" is so long ago; 0 when it is none such. */
static int64_t read_ago_us(const char *given)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const int64_t most_s = INT64_C(20) * 365 * 86400;   /* longer than there is anything to look for */
    int64_t count;
    size_t length = strlen(given);
    if (length < 2 || text_to_int((struct text){given, length - 1}, &count) || count < 0)
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (given[length - 1] == units[i].unit && count <= most_s / units[i].seconds)
            return clock_wall_us() - count * units[i].seconds * US_PER_S;
    return 0;
}

bool events_time(const struct invocation *invocation, const char *option, int64_t fallback_us, int64_t *ret_us)
{
    const char *given = invocation_value(invocation, option);
    int64_t us = given ? read_ago_us(given) : fallback_us;
    if (given && us == 0 && clock_parse_rfc3339(text_of(given), &us)) {
        invocation_usage(invocation->command, "--%s %s: say a time as 2026-11-23T17:05:09Z, or how long ago: 90s, 15m, "
                                              "2h, 7d, of the last 20 years", option, given);
        return false;
    }
    *ret_us = us;
    return true;
}

/* ---- printing ---- */

void events_print(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i], next = i + 1 < text.length ? (unsigned char)text.at[i + 1] : 0;
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;   /* control characters of two bytes */
        i += is_c1;
        putchar(is_c1 || c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

const char *events_age(int64_t since_us, char out[static 24])
{
    int64_t age_s = (clock_wall_us() - since_us) / US_PER_S;
    if (since_us == 0)
        snprintf(out, 24, "-");
    else if (age_s < 120)
        snprintf(out, 24, "%lld s", (long long)(age_s < 0 ? 0 : age_s));
    else if (age_s < 120 * 60)
        snprintf(out, 24, "%lld min", (long long)(age_s / 60));
    else if (age_s < INT64_C(48) * 3600)
        snprintf(out, 24, "%lld h", (long long)(age_s / 3600));
    else
        snprintf(out, 24, "%lld d", (long long)(age_s / 86400));
    return out;
}

static void begin_line(unsigned spaces, unsigned depth)
{
    printf("\n%*s", (int)(spaces + 2 * depth), "");
}

/* Behind the white space from `at` on. */
static size_t skip_space(struct text json, size_t at)
{
    while (at < json.length && strchr(" \t\r\n", json.at[at]))
        at++;
    return at;
}

/* An empty list stays on its line. */
void events_print_json(struct text json, unsigned spaces)
{
    unsigned depth = 0;
    bool in_string = false, is_empty = false;
    for (size_t at = skip_space(json, 0); at < json.length; at = in_string ? at + 1 : skip_space(json, at + 1)) {
        char c = json.at[at];
        if (in_string) {
            putchar(c);
            if (c == '\\' && at + 1 < json.length)
                putchar(json.at[++at]);
            in_string = c != '"';
        } else if (c == '"') {
            putchar(c);
            in_string = true;
        } else if (c == '{' || c == '[') {
            putchar(c);
            depth++;
            size_t next = skip_space(json, at + 1);
            is_empty = next < json.length && (json.at[next] == '}' || json.at[next] == ']');
            if (!is_empty)
                begin_line(spaces, depth);
        } else if (c == '}' || c == ']') {
            depth--;
            if (!is_empty)
                begin_line(spaces, depth);
            is_empty = false;
            putchar(c);
        } else {
            putchar(c);
            if (c == ',')
                begin_line(spaces, depth);
            if (c == ':')
                putchar(' ');
        }
    }
}
