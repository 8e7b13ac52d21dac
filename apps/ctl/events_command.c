/* The events on the bus, one of them, and who is behind. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/events_open.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "events/dead_letter.h"
#include "events/outbox.h"

enum { LIMIT = 50, LIMIT_MAX = 1000000, LINE_MAX_BYTES = 64 * 1024 };

static const char parked_sql[] = "SELECT count(*) FROM event_parked";

/* ---- events list ---- */

static bool read_filter(const struct invocation *invocation, struct bus_filter *ret)
{
    struct bus_filter filter = {
        .type = invocation_value(invocation, "type"),
        .subject = invocation_value(invocation, "subject"),
    };
    long limit;
    if (!events_time(invocation, "since", 0, &filter.since_us) || !events_time(invocation, "until", 0, &filter.until_us)
        || !invocation_number(invocation, "limit", 1, LIMIT_MAX, LIMIT, &limit))
        return false;
    filter.limit = (unsigned)limit;
    *ret = filter;
    return true;
}

static enum err print_entry(const struct bus_entry *entry, void *context)
{
    struct arena *arena = context;
    struct event event;
    char time[CLOCK_RFC3339_SIZE];
    arena_reset(arena);
    enum err err = event_read(entry->envelope, arena, &event);
    printf("%-27s %-26.*s %-36.*s ", clock_rfc3339(entry->published_us, time), TEXT_ARGS(entry->type),
           TEXT_ARGS(err ? TEXT("(cannot be read)") : event.id));
    events_print(entry->subject);
    putchar('\n');
    return ERR_NONE;
}

static enum err print_envelope(const struct bus_entry *entry, void *context)
{
    (void)context;
    printf("%.*s\n", TEXT_ARGS(entry->envelope));
    return ERR_NONE;
}

int command_events_list(const struct invocation *invocation)
{
    struct bus_filter filter;
    struct bus *bus;
    struct arena arena;
    bool is_json = invocation_value(invocation, "json") != NULL;
    if (!read_filter(invocation, &filter))
        return EXIT_USAGE;
    if (!events_open_bus(invocation, &bus))
        return EXIT_FAILURE;
    arena_init(&arena, 4 * EVENT_MAX_BYTES);
    if (!is_json)
        printf("%-27s %-26s %-36s %s\n", "PUBLISHED", "TYPE", "EVENT", "SUBJECT");
    enum err err = bus_browse(bus, &filter, is_json ? print_envelope : print_entry, &arena);
    int status = err ? invocation_failure("the bus: %s", err_cause()) : EXIT_SUCCESS;
    arena_fini(&arena);
    bus_close(bus);
    return status;
}

/* ---- events show ---- */

struct showing {
    bool is_json;
    size_t count;
    int64_t offset;
};

/* The same event may be there twice: a relay that could not mark what it had published does so again. */
static enum err show_entry(const struct bus_entry *entry, void *context)
{
    struct showing *showing = context;
    char time[CLOCK_RFC3339_SIZE];
    showing->count++;
    showing->offset = entry->offset;
    if (showing->is_json)
        return print_envelope(entry, NULL);
    printf("published  %s, at position %lld\n", clock_rfc3339(entry->published_us, time), (long long)entry->offset);
    events_print_json(entry->envelope, 0);
    putchar('\n');
    return ERR_NONE;
}

static enum err show_group(const struct bus_group *group, void *context)
{
    const struct showing *showing = context;
    printf("%-10.*s %s\n", TEXT_ARGS(group->name),
           group->offset >= showing->offset ? "is past it" : "has yet to come to it");
    return ERR_NONE;
}

int command_events_show(const struct invocation *invocation)
{
    const char *id = invocation->operands[0];
    struct showing showing = {.is_json = invocation_value(invocation, "json") != NULL};
    struct bus *bus;
    if (!events_open_bus(invocation, &bus))
        return EXIT_FAILURE;
    enum err err = bus_browse(bus, &(struct bus_filter){.id = id}, show_entry, &showing);
    if (!err && showing.count && !showing.is_json)
        err = bus_groups(bus, show_group, &showing);
    int status = err ? invocation_failure("the bus: %s", err_cause()) : EXIT_SUCCESS;
    if (!err && showing.count == 0)
        status = invocation_failure("%s is not on the bus: what all groups have read is dropped after bus.retention_s; "
                                    "see 'tandemctl events dead show' for what could not be handled", id);
    bus_close(bus);
    return status;
}

/* ---- events lag ---- */

/* What a service has of its own. */
struct backlog {
    uint64_t outbox, set_aside, dead;
    int64_t oldest_us;
};

static enum err measure(const struct events_service *service, struct backlog *ret)
{
    struct backlog backlog = {.outbox = 0};
    enum err err = outbox_backlog(service->reader, &backlog.outbox, &backlog.oldest_us);
    if (!err)
        err = dead_letter_count(service->reader, &backlog.dead);
    if (err)
        return err;
    struct db_statement *query = db_query(service->reader, parked_sql);
    backlog.set_aside = db_next(query) ? (uint64_t)db_int(query, 0) : 0;
    err = db_done(query);
    if (!err)
        *ret = backlog;
    return err;
}

/* A family is a type up to its version: "order.placed.v", of which the group follows all. */
static void print_families(struct text types)
{
    if (!types.at) {
        events_print(TEXT("(not known before its next start)"));
        return;
    }
    for (const char *comma = ""; types.length > 0; comma = ", ") {
        fputs(comma, stdout);
        events_print(text_trim(text_split(&types, ',')));
        putchar('*');
    }
}

static enum err print_group(const struct bus_group *group, void *context)
{
    char age[24];
    (void)context;
    printf("%-10.*s %10llu %8s  ", TEXT_ARGS(group->name), (unsigned long long)group->lag.events,
           events_age(group->lag.oldest_us, age));
    print_families(group->types);
    putchar('\n');
    return ERR_NONE;
}

static enum err print_backlogs(const struct events_services *services)
{
    enum err err = ERR_NONE;
    printf("\n%-10s %10s %8s %10s %10s\n", "SERVICE", "OUTBOX", "OLDEST", "SET ASIDE", "DEAD");
    for (size_t i = 0; i < services->count && !err; i++) {
        struct backlog backlog;
        char age[24];
        err = measure(&services->list[i], &backlog);
        if (!err)
            printf("%-10s %10llu %8s %10llu %10llu\n", services->list[i].group, (unsigned long long)backlog.outbox,
                   events_age(backlog.oldest_us, age), (unsigned long long)backlog.set_aside,
                   (unsigned long long)backlog.dead);
    }
    return err;
}

static void write_age(struct json_writer *writer, int64_t oldest_us)
{
    int64_t age_us = oldest_us ? clock_wall_us() - oldest_us : 0;
    json_key(writer, "oldest_age_s");
    json_number(writer, (double)(age_us < 0 ? 0 : age_us) / (double)US_PER_S);
}

static enum err write_group(const struct bus_group *group, void *context)
{
    struct json_writer *writer = context;
    json_object_begin(writer);
    json_member_text(writer, "group", group->name);
    json_member_integer(writer, "events", (int64_t)group->lag.events);
    write_age(writer, group->lag.oldest_us);
    json_object_end(writer);
    return ERR_NONE;
}

static enum err write_backlogs(struct json_writer *writer, const struct events_services *services)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < services->count && !err; i++) {
        struct backlog backlog;
        err = measure(&services->list[i], &backlog);
        if (err)
            break;
        json_object_begin(writer);
        json_member_string(writer, "service", services->list[i].group);
        json_member_integer(writer, "outbox", (int64_t)backlog.outbox);
        write_age(writer, backlog.oldest_us);
        json_member_integer(writer, "set_aside", (int64_t)backlog.set_aside);
        json_member_integer(writer, "dead", (int64_t)backlog.dead);
        json_object_end(writer);
    }
    return err;
}

static enum err write_lag(struct bus *bus, const struct events_services *services)
{
    struct json_writer writer;
    struct buf out;
    buf_init(&out, LINE_MAX_BYTES);
    json_writer_init(&writer, &out);
    json_object_begin(&writer);
    json_key(&writer, "groups");
    json_array_begin(&writer);
    enum err err = bus_groups(bus, write_group, &writer);
    json_array_end(&writer);
    json_key(&writer, "services");
    json_array_begin(&writer);
    if (!err)
        err = write_backlogs(&writer, services);
    json_array_end(&writer);
    json_object_end(&writer);
    if (!err)
        err = buf_check(&out);
    if (!err)
        printf("%.*s\n", TEXT_ARGS(buf_text(&out)));
    buf_fini(&out);
    return err;
}

int command_events_lag(const struct invocation *invocation)
{
    struct events_services services;
    struct bus *bus = NULL;
    enum err err = ERR_NONE;
    bool done = events_services_open(invocation, false, &services) && events_open_bus(invocation, &bus);
    if (done && invocation_value(invocation, "json")) {
        err = write_lag(bus, &services);
    } else if (done) {
        printf("%-10s %10s %8s  %s\n", "GROUP", "EVENTS", "OLDEST", "FOLLOWS");
        err = bus_groups(bus, print_group, NULL);
        if (!err)
            err = print_backlogs(&services);
    }
    if (err)
        invocation_failure("%s", err_cause());
    bus_close(bus);
    events_services_close(&services);
    return done && !err ? EXIT_SUCCESS : EXIT_FAILURE;
}
