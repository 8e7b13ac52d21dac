/* Dead letters: their history, what an operator decides about them, and in which order they come again. And events of
 * versions that nobody here knows, which become none. */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/events_fixture.h"
#include "events/consumer.h"
#include "events/dead_letter.h"
#include "events/failure.h"
#include "telemetry/metric.h"

enum { POISON_FROM = 1, ATTEMPTS = 3 };

static struct scratch scratch;
static struct db *db;
static struct bus *bus;
static struct consumer *consumer;
static struct db_connection *reader;
static atomic_int poisoned_to;     /* events up to this number are refused */
static atomic_int refused;

static enum err take(struct db_connection *connection, const struct event *event, void *context)
{
    (void)context;
    int number = fixture_number(event);
    if (number >= POISON_FROM && number <= poisoned_to)
        return err_because(ERR_UNAVAILABLE, "refusal %d of event %d", ++refused, number);
    struct db_statement *insert = db_query(connection, "INSERT INTO effect (seen, number, subject)"
                                                       " SELECT coalesce(max(seen), 0) + 1, $1, $2 FROM effect");
    db_bind_int(insert, 1, number);
    db_bind_text(insert, 2, event->subject);
    return db_run(insert, NULL);
}

static struct {
    atomic_int count;
    char type[64];
} told;

static void is_unknown(void *context, const struct event *event)
{
    (void)context;
    snprintf(told.type, sizeof told.type, "%.*s", TEXT_ARGS(event->type));
    told.count++;
}

static const struct event_handler handlers[] = {{"a.v1", take}, {"b.v1", take}};

static void start(unsigned attempts_max)
{
    struct consumer_opts opts = {.db = db, .bus = bus, .group = "service", .handlers = handlers, .handler_count = 2,
                                 .batch_max = 16, .attempts_max = attempts_max, .retry_first_ms = 2, .retry_max_ms = 4,
                                 .inbox_retention_s = 3600, .unknown = is_unknown};
    CU_ASSERT_EQUAL_FATAL(consumer_new(&opts, &consumer), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(consumer_start(consumer), ERR_NONE);
}

static void stop(void)
{
    consumer_stop(consumer);
    consumer_free(consumer);
    consumer = NULL;
}

static void begin(void)
{
    poisoned_to = refused = told.count = 0;
    CU_ASSERT_EQUAL(metric_open("test", NULL), ERR_NONE);
    scratch_init(&scratch);
    db = fixture_db_open(&scratch, "service.db");
    bus = fixture_bus_open(&scratch);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
}

static void end(void)
{
    consumer_free(consumer);
    consumer = NULL;
    db_reader_close(reader);
    bus_close(bus);
    db_close(db);
    scratch_fini(&scratch);
    metric_close();
}

static void publish(const char *type, const char *subject, int number)
{
    struct event event = fixture_event(type, subject, number);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
}

static bool is_one(void *sql)
{
    return scratch_number(db, sql) == 1;
}

static void await(const char *sql)
{
    bool holds = scratch_eventually(is_one, (void *)(uintptr_t)sql);
    if (!holds)
        fprintf(stderr, "# never: %s\n", sql);
    CU_ASSERT(holds);
}

/* ---- acting ---- */

struct act {
    struct dead_letter_act act;
    bool discards;
};

static enum err act_work(struct db_connection *connection, void *context)
{
    const struct act *act = context;
    return act->discards ? dead_letter_discard(connection, &act->act) : dead_letter_redrive(connection, &act->act);
}

/* On the letter of this event. */
static enum err decide(int number, bool discards)
{
    char sql[128], id[32];
    snprintf(id, sizeof id, "event-%d", number);
    snprintf(sql, sizeof sql, "SELECT number FROM dead_letter WHERE event_id = '%s'", id);
    struct act act = {{scratch_number(db, sql), text_of(id), TEXT("ann"), TEXT("mended")}, discards};
    return db_write(db, act_work, &act);
}

/* ---- history ---- */

static enum err note_failure(const struct event_failure *failure, void *context)
{
    char *out = context;
    size_t length = strlen(out);
    snprintf(out + length, 2048 - length, "%u %.*s\n", failure->attempt, TEXT_ARGS(failure->cause));
    CU_ASSERT(failure->failed_us > 0 && failure->failed_us <= clock_wall_us());
    return ERR_NONE;
}

static const char *history(const char *event_id)
{
    static char said[2048];
    said[0] = '\0';
    CU_ASSERT_EQUAL(failure_each(reader, TEXT("service"), text_of(event_id), note_failure, said), ERR_NONE);
    return said;
}

static void test_history(void)
{
    begin();
    poisoned_to = 1;
    publish("a.v1", "bad", 1);
    start(ATTEMPTS);
    await("SELECT count(*) = 1 FROM dead_letter");
    CU_ASSERT_STRING_EQUAL(history("event-1"), "1 ERR_UNAVAILABLE: refusal 1 of event 1\n"
                                               "2 ERR_UNAVAILABLE: refusal 2 of event 1\n"
                                               "3 ERR_UNAVAILABLE: refusal 3 of event 1\n");
    CU_ASSERT_EQUAL(decide(1, false), ERR_NONE);
    await("SELECT count(*) = 1 FROM dead_letter");   /* nothing was mended */
    CU_ASSERT_PTR_NOT_NULL(strstr(history("event-1"), "3 ERR_UNAVAILABLE: refusal 3 of event 1\n"
                                                      "1 ERR_UNAVAILABLE: refusal 4 of event 1\n"));
    poisoned_to = 0;
    CU_ASSERT_EQUAL(decide(1, false), ERR_NONE);
    await("SELECT count(*) = 1 FROM effect");
    CU_ASSERT_STRING_EQUAL(history("event-1"), "");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter_decision WHERE decision = 'redriven'"
                                       " AND decided_by = 'ann' AND reason = 'mended' AND envelope IS NULL"), 2);
    end();
}

static void test_history_is_bounded(void)
{
    enum { MANY = 3 * FAILURES_KEPT };
    begin();
    poisoned_to = 1;
    publish("a.v1", "bad", 1);
    start(MANY);
    await("SELECT count(*) = 1 FROM dead_letter");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_failure"), FAILURES_KEPT);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT min(attempt) FROM event_failure"), MANY - FAILURES_KEPT + 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT max(attempt) FROM event_failure"), MANY);
    end();
}

static void test_retried_in_time(void)
{
    begin();
    poisoned_to = 1;
    publish("a.v1", "bad", 1);
    start(1000000);
    await("SELECT count(*) > 3 FROM event_failure");
    poisoned_to = 0;
    await("SELECT count(*) = 1 FROM effect");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_failure"), 0);
    end();
}

/* ---- order ---- */

static enum err name_waiting(const struct dead_letter_waiting *waiting, void *context)
{
    char *out = context;
    size_t length = strlen(out);
    snprintf(out + length, 256 - length, "%.*s ", TEXT_ARGS(waiting->event_id));
    return ERR_NONE;
}

/* Three die one after the other; a fourth is being tried when they are sent again, in whatever order. */
static void test_order(void)
{
    static const int orders[][3] = {{1, 2, 3}, {3, 2, 1}, {2, 3, 1}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        char waiting[256] = "";
        begin();
        poisoned_to = 3;
        for (int number = 1; number <= 3; number++)
            publish("a.v1", "bad", number);
        start(ATTEMPTS);
        await("SELECT count(*) = 3 FROM dead_letter");
        stop();
        poisoned_to = 5;
        start(1000000);
        publish("a.v1", "bad", 4);
        publish("b.v1", "bad", 5);
        publish("b.v1", "good", 6);
        await("SELECT count(*) = 2 FROM event_parked");
        stop();   /* what comes first now is a matter of the table alone */
        for (int j = 0; j < 3; j++)
            CU_ASSERT_EQUAL(decide(orders[i][j], false), ERR_NONE);
        CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked WHERE next_try_us IS NOT NULL"), 1);
        CU_ASSERT_EQUAL(dead_letter_waiting(reader, TEXT("service"), TEXT("bad"), name_waiting, waiting), ERR_NONE);
        CU_ASSERT_STRING_EQUAL(waiting, "event-1 event-2 event-3 event-4 event-5 ");
        poisoned_to = 0;
        start(ATTEMPTS);
        await("SELECT count(*) = 5 FROM effect WHERE subject = 'bad'");
        CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM (SELECT number, lag(number) OVER (ORDER BY seen)"
                                           " AS before FROM effect WHERE subject = 'bad') AS one"
                                           " WHERE number < before"), 0);
        CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked"), 0);
        end();
    }
}

/* From another process, so to say: nobody wakes the consumer. */
static int64_t notice_ns(void)
{
    static int number;
    poisoned_to = ++number;
    publish("a.v1", "bad", number);
    await("SELECT count(*) = 1 FROM dead_letter");
    poisoned_to = 0;
    int64_t start_ns = clock_now_ns();
    CU_ASSERT_EQUAL(decide(number, false), ERR_NONE);
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) = 1 FROM effect WHERE number = %d", number);
    await(sql);
    return clock_now_ns() - start_ns;
}

static void test_noticed(void)
{
    begin();
    start(ATTEMPTS);
    CU_ASSERT(suite_is_prompt(notice_ns, 1200));
    end();
}

/* ---- decisions ---- */

static enum err see_decision(const struct dead_letter_decision *decision, void *context)
{
    CU_ASSERT(text_equal_string(decision->decision, "discarded"));
    CU_ASSERT(text_equal_string(decision->by, "ann"));
    CU_ASSERT(text_equal_string(decision->reason, "mended"));
    CU_ASSERT(text_equal_string(decision->letter.event_id, "event-1"));
    CU_ASSERT(text_equal_string(decision->letter.cause, "ERR_UNAVAILABLE: refusal 3 of event 1"));
    CU_ASSERT(text_starts(decision->letter.envelope, TEXT("{\"specversion\"")));
    CU_ASSERT_EQUAL(decision->letter.attempts, ATTEMPTS);
    CU_ASSERT(decision->decided_us >= decision->letter.died_us);
    ++*(int *)context;
    return ERR_NONE;
}

static void test_discard(void)
{
    int count = 0;
    begin();
    poisoned_to = 1;
    publish("a.v1", "bad", 1);
    start(ATTEMPTS);
    await("SELECT count(*) = 1 FROM dead_letter");
    struct act stale = {{scratch_number(db, "SELECT number FROM dead_letter"), TEXT("another"), TEXT("ann"), TEXT_NONE},
                        true};
    CU_ASSERT_EQUAL(db_write(db, act_work, &stale), ERR_NOT_FOUND);   /* the number was given again meanwhile */
    CU_ASSERT_EQUAL(decide(1, true), ERR_NONE);
    CU_ASSERT_EQUAL(decide(1, true), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_failure"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked"), 0);
    CU_ASSERT_EQUAL(dead_letter_decisions(reader, TEXT("event-1"), 10, see_decision, &count), ERR_NONE);
    CU_ASSERT_EQUAL(dead_letter_decisions(reader, TEXT_NONE, 10, see_decision, &count), ERR_NONE);
    CU_ASSERT_EQUAL(dead_letter_decisions(reader, TEXT("event-2"), 10, see_decision, &count), ERR_NONE);
    CU_ASSERT_EQUAL(count, 2);
    end();
}

static enum err decide_many(struct db_connection *connection, void *context)
{
    enum err err = ERR_NONE;
    (void)context;
    for (int i = 1; i <= DEAD_LETTER_DECISIONS_KEPT + 5 && !err; i++)
        err = dead_letter_discard(connection, &(struct dead_letter_act){.number = i, .by = TEXT("ann")});
    return err;
}

static void test_decisions_are_bounded(void)
{
    begin();
    CU_ASSERT_EQUAL(scratch_script(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1005)"
                                       " INSERT INTO dead_letter SELECT i, 'service', 's', 'e' || i, 'a.v1', '{}', 1,"
                                       " 'c', 1, 1 FROM n"), ERR_NONE);
    CU_ASSERT_EQUAL(db_write(db, decide_many, NULL), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter_decision"), DEAD_LETTER_DECISIONS_KEPT);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter_decision WHERE event_id = 'e1005'"), 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter_decision WHERE event_id = 'e5'"), 0);
    end();
}

/* ---- versions ---- */

static bool has_passed_over(void *context)
{
    struct consumer_stats stats;
    consumer_stats(consumer, &stats);
    return stats.passed_over == *(uint64_t *)context;
}

static void test_newer_version(void)
{
    uint64_t wanted = 21;
    begin();
    start(ATTEMPTS);
    publish("a.v2", "x", 1);
    for (int i = 0; i < 20; i++)
        publish("b.v3", "x", 10 + i);
    publish("c.v1", "x", 40);          /* nothing that this group follows */
    publish("a.v1", "x", 50);          /* of the same subject, and not held up */
    await("SELECT count(*) = 1 FROM effect WHERE number = 50");
    CU_ASSERT(scratch_eventually(has_passed_over, &wanted));
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect"), 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter"), 0);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_EVENTS_UNKNOWN, "a")), 1);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_EVENTS_UNKNOWN, "b")), 20);
    stop();
    CU_ASSERT_EQUAL(told.count, 2);    /* once for each type */
    CU_ASSERT_STRING_EQUAL(told.type, "b.v3");
    end();
}

static void test_many_versions(void)
{
    uint64_t wanted = CONSUMER_UNKNOWN_TOLD + 10;
    char type[32];
    begin();
    start(ATTEMPTS);
    for (unsigned i = 0; i < wanted; i++) {
        snprintf(type, sizeof type, "a.v%u", i + 2);
        publish(type, "x", (int)i);
    }
    CU_ASSERT(scratch_eventually(has_passed_over, &wanted));
    stop();
    CU_ASSERT_EQUAL(told.count, CONSUMER_UNKNOWN_TOLD);
    CU_ASSERT_EQUAL(metric_value(metric_series(METRIC_EVENTS_UNKNOWN, "a")), (int64_t)wanted);
    end();
}

static const struct suite_case cases[] = {
    {"each failure is written down, until the event is through", test_history},
    {"of many failures the latest are kept", test_history_is_bounded},
    {"an event that gets through in time leaves no history", test_retried_in_time},
    {"dead letters come again in their order, and before what happened later", test_order},
    {"one that is sent again by another process is taken within a second", test_noticed},
    {"who discards a dead letter, why, and what it was stays known", test_discard},
    {"of many decisions the latest are kept", test_decisions_are_bounded},
    {"a newer version is passed over, counted and told of once", test_newer_version},
    {"however many versions there are, what is told and counted has limits", test_many_versions},
};

int main(void)
{
    return engines_main("dead_letter", cases, sizeof cases / sizeof cases[0]);
}
