/* Dead letters: what could not be handled, why, and what was decided about it. */
#include "config.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/events_dead.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "events/event.h"
#include "events/failure.h"

enum { PAGE = 100, LINE_MAX_BYTES = 8 * 1024 * 1024, NAME_SIZE = EVENT_MAX_ATTRIBUTE_BYTES + 1 };

/* ---- choosing ---- */

bool dead_choice_read(const struct invocation *invocation, struct dead_choice *ret)
{
    struct dead_choice choice = {
        .invocation = invocation,
        .type = invocation_value(invocation, "type"),
        .subject = invocation_value(invocation, "subject"),
    };
    if (!events_time(invocation, "since", 0, &choice.since_us)
        || !events_time(invocation, "until", INT64_MAX, &choice.until_us))
        return false;
    *ret = choice;
    return true;
}

static bool fits(const char *pattern, struct text text)
{
    char string[NAME_SIZE];
    snprintf(string, sizeof string, "%.*s", TEXT_ARGS(text));
    return !pattern || fnmatch(pattern, string, 0) == 0;
}

static bool has_id(const struct invocation *invocation, struct text id)
{
    for (size_t i = 0; i < invocation->operand_count; i++)
        if (text_equal_string(id, invocation->operands[i]))
            return true;
    return invocation->operand_count == 0;
}

bool dead_choice_has(const struct dead_choice *choice, const struct dead_letter *letter)
{
    return has_id(choice->invocation, letter->event_id) && fits(choice->type, letter->type)
        && fits(choice->subject, letter->subject) && letter->died_us >= choice->since_us
        && letter->died_us < choice->until_us;
}

/* ---- the table ---- */

void dead_print_heading(void)
{
    printf("%-10s %-36s %-22s %-36s %5s %-27s %7s  %s\n", "GROUP", "EVENT", "TYPE", "SUBJECT", "TRIES", "DIED",
           "WAITING", "CAUSE");
}

void dead_print_row(const struct dead_letter *letter)
{
    char died[CLOCK_RFC3339_SIZE];
    printf("%-10.*s %-36.*s %-22.*s ", TEXT_ARGS(letter->consumer_group), TEXT_ARGS(letter->event_id),
           TEXT_ARGS(letter->type));
    events_print(letter->subject);
    printf("%*s %5u %-27s %7llu  ", letter->subject.length < 36 ? (int)(36 - letter->subject.length) : 0, "",
           letter->attempts, clock_rfc3339(letter->died_us, died), (unsigned long long)letter->waiting);
    events_print(letter->cause);
    putchar('\n');
}

/* ---- JSON: one object a line ---- */

static void write_letter(struct json_writer *writer, const struct dead_letter *letter)
{
    json_member_text(writer, "group", letter->consumer_group);
    json_member_text(writer, "event_id", letter->event_id);
    json_member_text(writer, "type", letter->type);
    json_member_text(writer, "subject", letter->subject);
    json_member_integer(writer, "attempts", letter->attempts);
    json_member_time(writer, "first_failed_at", letter->parked_us);
    json_member_time(writer, "died_at", letter->died_us);
    json_member_text(writer, "cause", letter->cause);
}

static void write_decision(struct json_writer *writer, const struct dead_letter_decision *decision)
{
    json_member_text(writer, "decision", decision->decision);
    json_member_time(writer, "decided_at", decision->decided_us);
    json_member_text(writer, "decided_by", decision->by);
    json_member_text(writer, "reason", decision->reason);
    write_letter(writer, &decision->letter);
    if (decision->letter.envelope.at) {
        json_key(writer, "envelope");
        json_raw(writer, decision->letter.envelope);
    }
}

static void print_line(struct buf *line)
{
    printf("%.*s\n", TEXT_ARGS(buf_text(line)));
}

/* ---- events dead list ---- */

struct listing {
    struct dead_choice choice;
    bool is_json;
    struct buf line;
    int64_t after;
    unsigned seen;
};

static enum err list_letter(const struct dead_letter *letter, void *context)
{
    struct listing *listing = context;
    struct json_writer writer;
    listing->after = letter->number;
    listing->seen++;
    if (!dead_choice_has(&listing->choice, letter))
        return ERR_NONE;
    if (!listing->is_json) {
        dead_print_row(letter);
        return ERR_NONE;
    }
    buf_reset(&listing->line, LINE_MAX_BYTES);
    json_writer_init(&writer, &listing->line);
    json_object_begin(&writer);
    write_letter(&writer, letter);
    json_member_integer(&writer, "waiting", (int64_t)letter->waiting);
    json_object_end(&writer);
    enum err err = buf_check(&listing->line);
    if (!err)
        print_line(&listing->line);
    return err;
}

static enum err list_decision(const struct dead_letter_decision *decision, void *context)
{
    struct listing *listing = context;
    struct json_writer writer;
    char time[CLOCK_RFC3339_SIZE];
    if (!dead_choice_has(&listing->choice, &decision->letter))
        return ERR_NONE;
    if (!listing->is_json) {
        printf("%-27s %-10.*s %-10.*s %-36.*s %-22.*s %-12.*s ", clock_rfc3339(decision->decided_us, time),
               TEXT_ARGS(decision->decision), TEXT_ARGS(decision->letter.consumer_group),
               TEXT_ARGS(decision->letter.event_id), TEXT_ARGS(decision->letter.type), TEXT_ARGS(decision->by));
        events_print(decision->reason.at ? decision->reason : TEXT("-"));
        putchar('\n');
        return ERR_NONE;
    }
    buf_reset(&listing->line, LINE_MAX_BYTES);
    json_writer_init(&writer, &listing->line);
    json_object_begin(&writer);
    write_decision(&writer, decision);
    json_object_end(&writer);
    enum err err = buf_check(&listing->line);
    if (!err)
        print_line(&listing->line);
    return err;
}

/* A page at a time: somebody else may change the table meanwhile. */
static enum err list_service(const struct events_service *service, struct listing *listing)
{
    enum err err = ERR_NONE;
    listing->after = 0;
    do {
        listing->seen = 0;
        err = dead_letter_each(service->reader, listing->after, PAGE, list_letter, listing);
    } while (!err && listing->seen == PAGE);
    return err;
}

int command_events_dead_list(const struct invocation *invocation)
{
    struct events_services services;
    struct listing listing = {.is_json = invocation_value(invocation, "json") != NULL};
    bool decided = invocation_value(invocation, "decided") != NULL;
    if (!dead_choice_read(invocation, &listing.choice))
        return EXIT_USAGE;
    buf_init(&listing.line, LINE_MAX_BYTES);
    bool done = events_services_open(invocation, false, &services);
    if (done && !listing.is_json && decided)
        printf("%-27s %-10s %-10s %-36s %-22s %-12s %s\n", "DECIDED", "WHAT", "GROUP", "EVENT", "TYPE", "BY", "REASON");
    else if (done && !listing.is_json)
        dead_print_heading();
    for (size_t i = 0; done && i < services.count; i++) {
        const struct events_service *service = &services.list[i];
        enum err err = decided ? dead_letter_decisions(service->reader, TEXT_NONE, DEAD_LETTER_DECISIONS_KEPT,
                                                       list_decision, &listing)
                               : list_service(service, &listing);
        if (err)
            invocation_failure("the dead letters of %s: %s", service->group, err_cause());
        done = !err;
    }
    events_services_close(&services);
    buf_fini(&listing.line);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- events dead show ---- */

struct showing {
    const struct events_service *service;
    struct text id;
    bool is_json;
    struct json_writer writer;
    size_t count;
    unsigned in_list;
};

static enum err show_failure(const struct event_failure *failure, void *context)
{
    struct showing *showing = context;
    char time[CLOCK_RFC3339_SIZE];
    if (showing->is_json) {
        json_object_begin(&showing->writer);
        json_member_integer(&showing->writer, "attempt", failure->attempt);
        json_member_time(&showing->writer, "failed_at", failure->failed_us);
        json_member_text(&showing->writer, "cause", failure->cause);
        json_object_end(&showing->writer);
        return ERR_NONE;
    }
    if (showing->in_list++ == 0)
        printf("  attempts\n");
    printf("    %4u  %s  ", failure->attempt, clock_rfc3339(failure->failed_us, time));
    events_print(failure->cause);
    putchar('\n');
    return ERR_NONE;
}

static enum err show_waiting(const struct dead_letter_waiting *waiting, void *context)
{
    struct showing *showing = context;
    if (showing->is_json) {
        json_object_begin(&showing->writer);
        json_member_text(&showing->writer, "event_id", waiting->event_id);
        json_member_text(&showing->writer, "type", waiting->type);
        json_member_integer(&showing->writer, "attempts", waiting->attempts);
        json_member_time(&showing->writer, "since", waiting->parked_us);
        json_member_text(&showing->writer, "cause", waiting->cause);
        json_object_end(&showing->writer);
        return ERR_NONE;
    }
    if (showing->in_list++ == 0)
        printf("  set aside of the same subject; sent again, it goes before these\n");
    printf("    %.*s  %.*s, tried %u times\n", TEXT_ARGS(waiting->event_id), TEXT_ARGS(waiting->type),
           waiting->attempts);
    return ERR_NONE;
}

static enum err show_decision(const struct dead_letter_decision *decision, void *context)
{
    struct showing *showing = context;
    char time[CLOCK_RFC3339_SIZE];
    showing->count++;
    if (showing->is_json) {
        json_object_begin(&showing->writer);
        write_decision(&showing->writer, decision);
        json_object_end(&showing->writer);
        return ERR_NONE;
    }
    if (showing->in_list++ == 0)
        printf("decided of %.*s in %s\n", TEXT_ARGS(showing->id), showing->service->group);
    printf("    %s  %.*s by ", clock_rfc3339(decision->decided_us, time), TEXT_ARGS(decision->decision));
    events_print(decision->by);
    if (decision->reason.at) {
        printf(": ");
        events_print(decision->reason);
    }
    printf("\n          after %u attempts: ", decision->letter.attempts);
    events_print(decision->letter.cause);
    putchar('\n');
    if (decision->letter.envelope.at) {
        printf("      ");
        events_print_json(decision->letter.envelope, 6);
        putchar('\n');
    }
    return ERR_NONE;
}

static void print_letter(const struct dead_letter *letter)
{
    char first[CLOCK_RFC3339_SIZE], died[CLOCK_RFC3339_SIZE];
    printf("%.*s could not be handled by %.*s\n", TEXT_ARGS(letter->event_id), TEXT_ARGS(letter->consumer_group));
    printf("  type       %.*s\n  subject    ", TEXT_ARGS(letter->type));
    events_print(letter->subject);
    printf("\n  attempts   %u, from %s to %s\n  cause      ", letter->attempts,
           clock_rfc3339(letter->parked_us, first), clock_rfc3339(letter->died_us, died));
    events_print(letter->cause);
    printf("\n  envelope   ");
    events_print_json(letter->envelope, 2);
    putchar('\n');
}

static enum err write_lists(struct showing *showing, const struct dead_letter *letter)
{
    struct json_writer *writer = &showing->writer;
    json_key(writer, "failures");
    json_array_begin(writer);
    enum err err = failure_each(showing->service->reader, letter->consumer_group, letter->event_id, show_failure,
                                showing);
    json_array_end(writer);
    json_key(writer, "waiting");
    json_array_begin(writer);
    if (!err)
        err = dead_letter_waiting(showing->service->reader, letter->consumer_group, letter->subject, show_waiting,
                                  showing);
    json_array_end(writer);
    return err;
}

static enum err show_letter(const struct dead_letter *letter, void *context)
{
    struct showing *showing = context;
    if (!text_equal(letter->event_id, showing->id))
        return ERR_NONE;
    showing->count++;
    if (showing->is_json) {
        write_letter(&showing->writer, letter);
        json_key(&showing->writer, "envelope");
        json_raw(&showing->writer, letter->envelope);
        return write_lists(showing, letter);
    }
    print_letter(letter);
    showing->in_list = 0;
    enum err err = failure_each(showing->service->reader, letter->consumer_group, letter->event_id, show_failure,
                                showing);
    showing->in_list = 0;
    if (!err)
        err = dead_letter_waiting(showing->service->reader, letter->consumer_group, letter->subject, show_waiting,
                                  showing);
    showing->in_list = 0;
    return err;
}

/* A group's object has what the letter is, if it is one, and what was decided about it. */
static enum err show_service(struct showing *showing)
{
    struct db_connection *reader = showing->service->reader;
    if (!showing->is_json) {
        enum err err = dead_letter_each(reader, 0, UINT32_MAX, show_letter, showing);
        return err ? err
                   : dead_letter_decisions(reader, showing->id, DEAD_LETTER_DECISIONS_KEPT, show_decision, showing);
    }
    struct buf out;
    size_t before = showing->count;
    buf_init(&out, LINE_MAX_BYTES);
    json_writer_init(&showing->writer, &out);
    json_object_begin(&showing->writer);
    enum err err = dead_letter_each(reader, 0, UINT32_MAX, show_letter, showing);
    json_key(&showing->writer, "decisions");
    json_array_begin(&showing->writer);
    if (!err)
        err = dead_letter_decisions(reader, showing->id, DEAD_LETTER_DECISIONS_KEPT, show_decision, showing);
    json_array_end(&showing->writer);
    json_object_end(&showing->writer);
    if (!err)
        err = buf_check(&out);
    if (!err && showing->count > before)
        print_line(&out);
    buf_fini(&out);
    return err;
}

int command_events_dead_show(const struct invocation *invocation)
{
    struct events_services services;
    struct showing showing = {.id = text_of(invocation->operands[0]),
                              .is_json = invocation_value(invocation, "json") != NULL};
    bool done = events_services_open(invocation, false, &services);
    for (size_t i = 0; done && i < services.count; i++) {
        showing.service = &services.list[i];
        showing.in_list = 0;
        enum err err = show_service(&showing);
        if (err)
            invocation_failure("the dead letters of %s: %s", services.list[i].group, err_cause());
        done = !err;
    }
    if (done && showing.count == 0) {
        invocation_failure("%s is no dead letter, and nothing was decided about it; 'tandemctl events dead list' has "
                           "what there is", invocation->operands[0]);
        done = false;
    }
    events_services_close(&services);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
