#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/events_fixture.h"
#include "events/backoff.h"
#include "events/consumer.h"
#include "events/dead_letter.h"
#include "events/outbox.h"

static struct scratch scratch;
static struct db *db;
static struct bus *bus;
static struct consumer *consumer;

/* What the handler refuses: events of this number, while above 0; of this subject, while set. */
static atomic_int poisoned_number;
static atomic_int attempts_seen;

static enum err take(struct db_connection *connection, const struct event *event, void *context)
{
    (void)context;
    int number = fixture_number(event);
    struct db_statement *insert = db_query(connection, "INSERT INTO effect (seen, number, subject)"
                                                       " SELECT coalesce(max(seen), 0) + 1, $1, $2 FROM effect");
    db_bind_int(insert, 1, number);
    db_bind_text(insert, 2, event->subject);
    enum err err = db_run(insert, NULL);
    struct event answer = fixture_event("answer.v1", "answer", number);
    if (!err)
        err = outbox_add(connection, &answer);
    if (number == poisoned_number) {
        attempts_seen++;
        return err_because(ERR_UNAVAILABLE, "event %d is poison", number);
    }
    return err;
}

static const struct event_handler handlers[] = {{"a.v1", take}, {"b.v1", take}};

static struct consumer_opts consumer_opts(void)
{
    return (struct consumer_opts){.db = db, .bus = bus, .group = "service", .handlers = handlers, .handler_count = 2,
                                  .batch_max = 16, .attempts_max = 3, .retry_first_ms = 5, .retry_max_ms = 20,
                                  .inbox_retention_s = 3600};
}

static void start(struct consumer_opts opts)
{
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
    poisoned_number = attempts_seen = 0;
    scratch_init(&scratch);
    db = fixture_db_open(&scratch, "service.db");
    bus = fixture_bus_open(&scratch);
}

static void end(void)
{
    consumer_free(consumer);
    consumer = NULL;
    bus_close(bus);
    db_close(db);
    scratch_fini(&scratch);
}

static void publish(const char *subject, int number)
{
    struct event event = fixture_event(number % 2 ? "a.v1" : "b.v1", subject, number);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
}

static struct consumer_stats stats(void)
{
    struct consumer_stats now;
    consumer_stats(consumer, &now);
    return now;
}

static bool is_one(void *sql)
{
    return scratch_number(db, sql) == 1;
}

/* Waits until the query gives 1. */
static void await(const char *sql)
{
    bool holds = scratch_eventually(is_one, (void *)(uintptr_t)sql);
    if (!holds)
        fprintf(stderr, "# never: %s\n", sql);
    CU_ASSERT(holds);
}

static bool handled_at_least(void *context)
{
    struct consumer_stats now = stats();
    return now.handled + now.repeated >= *(uint64_t *)context;
}

static void await_handled(uint64_t count)
{
    CU_ASSERT(scratch_eventually(handled_at_least, &count));
}

/* ---- once ---- */

static void test_applied(void)
{
    begin();
    publish("x", 1);
    start(consumer_opts());
    publish("x", 2);
    publish("y", 3);
    await("SELECT count(*) = 3 FROM effect");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect WHERE seen = number"), 3);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM outbox"), 3);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM inbox"), 3);
    await_handled(3);
    CU_ASSERT_EQUAL(stats().handled, 3);
    end();
}

static struct {
    atomic_int count, wrong;
} told;

/* Once the effect can be read, and by what it is called. */
static void is_told(void *context, const struct event *event)
{
    (void)context;
    bool durable = scratch_number(db, "SELECT count(*) FROM effect") > told.count;
    if (!durable || !text_equal_string(event->subject, "x") || !text_starts(event->type, TEXT("a.v1"))
        || !text_equal_string(event->request_id, "the-request") || !text_starts(event->id, TEXT("event-")))
        told.wrong++;
    told.count++;
}

static void test_told(void)
{
    begin();
    told.count = told.wrong = 0;
    struct consumer_opts opts = consumer_opts();
    opts.applied = is_told;
    struct event event = fixture_event("a.v1", "x", 1);
    event.request_id = TEXT("the-request");
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    poisoned_number = 3;
    struct event poisoned = fixture_event("a.v1", "x", 3);
    poisoned.request_id = TEXT("the-request");
    CU_ASSERT_EQUAL(bus_publish(bus, &poisoned, 1), ERR_NONE);
    start(opts);
    uint64_t wanted = 2;
    CU_ASSERT(scratch_eventually(handled_at_least, &wanted));
    poisoned_number = 0;
    await("SELECT count(*) = 2 FROM effect");
    stop();
    CU_ASSERT_EQUAL(told.count, 2);
    CU_ASSERT_EQUAL(told.wrong, 0);
    end();
}

static void test_repeat(void)
{
    begin();
    start(consumer_opts());
    for (int i = 0; i < 5; i++)
        publish("x", 7);
    await_handled(5);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect"), 1);
    CU_ASSERT_EQUAL(stats().handled, 1);
    CU_ASSERT_EQUAL(stats().repeated, 4);
    end();
}

/* The effect is committed, and the process killed before the bus is told: the group's position is as before. */
static void test_crash_before_acknowledge(void)
{
    begin();
    for (int i = 1; i <= 40; i++)
        publish("x", i);
    start(consumer_opts());
    await_handled(40);
    stop();
    struct db *log = NULL;
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "bus.db"));
    opts.url = NULL;   /* a file, whatever the service's engine is */
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &log), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(log), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(log, "SELECT position FROM consumer_group"), 40);
    CU_ASSERT_EQUAL(scratch_script(log, "UPDATE consumer_group SET position = 0"), ERR_NONE);
    start(consumer_opts());
    publish("x", 41);
    await("SELECT count(*) = 1 FROM effect WHERE number = 41");
    await_handled(41);
    CU_ASSERT_EQUAL(stats().repeated, 40);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect"), 41);
    db_close(log);
    end();
}

static void test_unknown_types(void)
{
    begin();
    start(consumer_opts());
    for (int i = 0; i < 20; i++) {
        struct event event = fixture_event("unknown.v9", "x", 100 + i);
        CU_ASSERT_EQUAL(bus_publish(bus, &event, 1), ERR_NONE);
    }
    publish("x", 1);
    await_handled(1);
    struct bus_lag lag = {.events = 99};
    stop();
    struct consumer_opts opts = consumer_opts();
    CU_ASSERT_EQUAL_FATAL(consumer_new(&opts, &consumer), ERR_NONE);
    CU_ASSERT_EQUAL(consumer_lag(consumer, &lag), ERR_NONE);
    CU_ASSERT_EQUAL(lag.events, 0);
    CU_ASSERT_EQUAL(lag.oldest_us, 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect"), 1);
    end();
}

static void test_two_groups_in_one_database(void)
{
    begin();
    publish("x", 1);
    start(consumer_opts());
    await_handled(1);
    stop();
    struct consumer_opts other = consumer_opts();
    other.group = "other";
    start(other);
    await_handled(1);
    CU_ASSERT_EQUAL(stats().repeated, 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect"), 2);
    end();
}

/* ---- poison ---- */

static void test_poison_holds_up_its_subject_only(void)
{
    begin();
    struct consumer_opts opts = consumer_opts();
    opts.attempts_max = 1000000;
    poisoned_number = 1;
    publish("bad", 1);
    for (int i = 2; i <= 20; i++)
        publish(i % 4 == 0 ? "bad" : "good", i);
    start(opts);
    await("SELECT count(*) = 14 FROM effect WHERE subject = 'good'");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect WHERE subject = 'bad'"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked"), 6);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked WHERE next_try_us IS NOT NULL"), 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT cause = 'ERR_UNAVAILABLE: event 1 is poison' FROM event_parked"
                                       " WHERE event_id = 'event-1'"), 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM outbox"), 14);   /* what it had added was undone */
    publish("bad", 24);

    poisoned_number = 0;
    await("SELECT count(*) = 7 FROM effect WHERE subject = 'bad'");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM (SELECT number, lag(number) OVER (PARTITION BY subject"
                                       " ORDER BY seen) AS before FROM effect) AS one WHERE number < before"), 0);
    await_handled(21);
    CU_ASSERT(stats().retried >= 6);   /* the last may have come when nothing waited any more */
    end();
}

static enum err note_letter(const struct dead_letter *letter, void *context)
{
    CU_ASSERT(text_equal_string(letter->event_id, "event-1"));
    CU_ASSERT(text_equal_string(letter->subject, "bad"));
    CU_ASSERT(text_equal_string(letter->type, "a.v1"));
    CU_ASSERT(text_equal_string(letter->consumer_group, "service"));
    CU_ASSERT(text_equal_string(letter->cause, "ERR_UNAVAILABLE: event 1 is poison"));
    CU_ASSERT(text_starts(letter->envelope, TEXT("{\"specversion\"")));
    CU_ASSERT_EQUAL(letter->attempts, 3);
    CU_ASSERT(letter->parked_us > 0 && letter->died_us > letter->parked_us);
    CU_ASSERT_EQUAL(letter->waiting, 0);
    *(int64_t *)context = letter->number;
    return ERR_NONE;
}

static enum err retry_letter(struct db_connection *connection, void *context)
{
    return dead_letter_redrive(connection, &(struct dead_letter_act){.number = *(int64_t *)context, .by = TEXT("ann")});
}

static enum err drop_letter(struct db_connection *connection, void *context)
{
    return dead_letter_discard(connection, &(struct dead_letter_act){.number = *(int64_t *)context, .by = TEXT("ann")});
}

static void test_dead_letter(void)
{
    begin();
    poisoned_number = 1;
    publish("bad", 1);
    publish("bad", 2);
    start(consumer_opts());
    await("SELECT count(*) = 1 FROM dead_letter");
    CU_ASSERT_EQUAL(attempts_seen, 3);
    await("SELECT count(*) = 1 FROM effect WHERE number = 2");   /* the subject goes on without it */
    await_handled(1);
    CU_ASSERT_EQUAL(stats().dead, 1);

    struct db_connection *reader = NULL;
    int64_t number = 0;
    uint64_t count = 0;
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    CU_ASSERT_EQUAL(dead_letter_count(reader, &count), ERR_NONE);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(dead_letter_each(reader, 0, 10, note_letter, &number), ERR_NONE);
    CU_ASSERT(number > 0);
    CU_ASSERT_EQUAL(dead_letter_each(reader, number, 10, note_letter, &number), ERR_NONE);
    db_reader_close(reader);

    poisoned_number = 0;
    CU_ASSERT_EQUAL(db_write(db, retry_letter, &number), ERR_NONE);
    await("SELECT count(*) = 1 FROM effect WHERE number = 1");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter"), 0);
    CU_ASSERT_EQUAL(db_write(db, retry_letter, &number), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(db_write(db, drop_letter, &number), ERR_NOT_FOUND);
    end();
}

static void test_only_attempt(void)
{
    begin();
    struct consumer_opts opts = consumer_opts();
    opts.attempts_max = 1;
    poisoned_number = 1;
    publish("bad", 1);
    publish("bad", 2);
    start(opts);
    await("SELECT count(*) = 1 FROM effect WHERE number = 2");
    CU_ASSERT_EQUAL(attempts_seen, 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT attempts FROM dead_letter"), 1);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM event_parked"), 0);
    int64_t number = scratch_number(db, "SELECT number FROM dead_letter");
    CU_ASSERT_EQUAL(db_write(db, drop_letter, &number), ERR_NONE);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter"), 0);
    end();
}

static void test_handler_is_gone(void)
{
    begin();
    struct consumer_opts opts = consumer_opts();
    opts.attempts_max = 1000;
    opts.retry_first_ms = opts.retry_max_ms = 30;
    poisoned_number = 1;
    publish("bad", 1);
    start(opts);
    await("SELECT count(*) = 1 FROM event_parked");
    stop();
    opts.handlers = &handlers[1];
    opts.handler_count = 1;
    start(opts);
    await("SELECT count(*) = 1 FROM dead_letter WHERE cause LIKE '%no handler%'");
    end();
}

/* ---- the rest of its life ---- */

static void test_inbox_swept(void)
{
    begin();
    struct consumer_opts opts = consumer_opts();
    opts.inbox_retention_s = 0;
    start(opts);
    for (int i = 1; i <= 100; i++)
        publish("x", i);
    await("SELECT count(*) = 100 FROM effect");
    publish("x", 101);
    await("SELECT count(*) = 101 FROM effect");
    CU_ASSERT(scratch_number(db, "SELECT count(*) FROM inbox") < 101);
    end();
}

static void count_failure(void *context, const struct event *event, enum err err)
{
    (void)context;
    if (!event && err == ERR_BUSY)
        attempts_seen++;
}

static bool has_failed(void *context)
{
    (void)context;
    return attempts_seen > 0;
}

static enum err publish_and_hold(struct db_connection *connection, void *context)
{
    enum err err = engines_is_sqlite() ? ERR_NONE : db_script(connection, "LOCK TABLE inbox");
    publish("x", 3);
    return err ? err : scratch_eventually(has_failed, context) ? ERR_NONE : ERR_DEADLINE;
}

/* Another process holds the database for longer than the consumer's has patience. However long a failing event is left
 * alone, this is over soon after its cause. */
static void test_database_fails(void)
{
    begin();
    struct db *other = db;
    struct db_opts impatient = scratch_db_opts(scratch_path(&scratch, "service.db"));
    impatient.busy_timeout_ms = 1;
    CU_ASSERT_EQUAL_FATAL(db_open(&impatient, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    publish("x", 1);
    publish("x", 2);
    struct consumer_opts opts = consumer_opts();
    opts.failed = count_failure;
    opts.retry_first_ms = opts.retry_max_ms = 600000;
    CU_ASSERT_EQUAL_FATAL(consumer_new(&opts, &consumer), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(consumer_start(consumer), ERR_NONE);
    CU_ASSERT_EQUAL(db_write(other, publish_and_hold, NULL), ERR_NONE);
    await("SELECT count(*) = max(number) AND count(*) = 3 FROM effect");
    stop();
    db_close(other);
    end();
}

static int64_t stop_ns(void)
{
    start(consumer_opts());
    int64_t start_ns = clock_now_ns();
    stop();
    return clock_now_ns() - start_ns;
}

static void test_stop(void)
{
    begin();
    CU_ASSERT(suite_is_prompt(stop_ns, 100));
    consumer_free(NULL);
    consumer_stop(NULL);
    struct consumer_opts opts = consumer_opts();
    opts.attempts_max = 0;
    CU_ASSERT_EQUAL(consumer_new(&opts, &consumer), ERR_CONFIG);
    end();
}

static void test_backoff(void)
{
    for (int i = 0; i < 200; i++) {
        unsigned first = backoff_ms(1, 100, 1000), third = backoff_ms(3, 100, 1000), last = backoff_ms(4000, 100, 1000);
        CU_ASSERT(first >= 50 && first <= 100);
        CU_ASSERT(third >= 200 && third <= 400);
        CU_ASSERT(last >= 500 && last <= 1000);
    }
    CU_ASSERT(backoff_ms(1, 1, 1) <= 1);
    CU_ASSERT(backoff_ms(9, 4000000000u, 4000000000u) >= 2000000000u);
}

static const struct suite_case cases[] = {
    {"events are applied in order, with what they add to the outbox", test_applied},
    {"each event is told once it is applied, also after a retry, and no repeat", test_told},
    {"a repeat has no second effect", test_repeat},
    {"a crash between effect and acknowledgement has no second effect", test_crash_before_acknowledge},
    {"events of unknown types are passed over", test_unknown_types},
    {"two groups in one database do not take each other's repeats", test_two_groups_in_one_database},
    {"a poisoned event holds up its subject only, whose order is kept", test_poison_holds_up_its_subject_only},
    {"an event that keeps failing becomes a dead letter, and can be sent again", test_dead_letter},
    {"an event with one attempt becomes a dead letter at once", test_only_attempt},
    {"an event whose handler is gone becomes a dead letter", test_handler_is_gone},
    {"ids are forgotten after their time", test_inbox_swept},
    {"a database that fails is tried again soon, and nothing is lost", test_database_fails},
    {"the consumer stops promptly", test_stop},
    {"pauses double, with a share of chance", test_backoff},
};

int main(void)
{
    return engines_main("consumer", cases, sizeof cases / sizeof cases[0]);
}
