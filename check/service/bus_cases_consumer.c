/* The bus with the consumer on top: one effect of each event, and what becomes of those that cannot be handled. */
#include "config.h"

#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/bus_cases.h"
#include "check/service/bus_world.h"
#include "check/unit/events_fixture.h"
#include "events/consumer.h"
#include "events/dead_letter.h"

enum { KEYS = 5, LETTERS_MAX = 8 };

static struct world world;
static struct scratch scratch;
static struct db *db;
static struct consumer *consumer;

static atomic_int poisoned_number = -1;   /* what the handler refuses */
static int deadly_number = -1;            /* what it dies of */

static enum err take(struct db_connection *connection, const struct event *event, void *context)
{
    (void)context;
    int number = world_number(event);
    if (number == poisoned_number)
        return err_because(ERR_UNAVAILABLE, "event %d is poison", number);
    if (number == deadly_number)
        raise(SIGKILL);
    struct db_statement *insert = db_query(connection, "INSERT INTO effect (seen, number, subject)"
                                                       " SELECT coalesce(max(seen), 0) + 1, $1, $2 FROM effect");
    db_bind_int(insert, 1, number);
    db_bind_text(insert, 2, event->subject);
    return db_run(insert, NULL);
}

static void start(struct bus *bus)
{
    static const struct event_handler handlers[] = {{"thing.made.v1", take}};
    struct consumer_opts opts = {
        .db = db, .bus = bus, .group = "service", .handlers = handlers, .handler_count = 1, .batch_max = 16,
        .attempts_max = 3, .retry_first_ms = 5, .retry_max_ms = 20, .inbox_retention_s = 3600,
    };
    CU_ASSERT_EQUAL_FATAL(consumer_new(&opts, &consumer), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(consumer_start(consumer), ERR_NONE);
}

static void stop(void)
{
    consumer_stop(consumer);
    consumer_free(consumer);
    consumer = NULL;
}

/* Not 0: the broker gives an event up after so many deliveries. */
static void begin_limited(unsigned delivery_limit)
{
    poisoned_number = deadly_number = -1;
    world_begin(&world);
    if (delivery_limit) {
        bus_close(world.bus);
        world.delivery_limit = delivery_limit;
        world.bus = world_open(&world);
    }
    bus_unsubscribe(world_subscribe(world.bus, "service"));
    scratch_init(&scratch);
    db = fixture_db_open(&scratch, "service.db");
}

static void begin(void)
{
    begin_limited(0);
}

static void end(void)
{
    stop();
    db_close(db);
    world_end(&world);
    scratch_fini(&scratch);
}

static bool is_one(void *sql)
{
    return scratch_number(db, sql) == 1;
}

/* Waits until the query gives 1. */
static void await(const char *sql)
{
    bool holds = process_until(is_one, (void *)(uintptr_t)sql, WORLD_PATIENCE_MS);
    if (!holds)
        printf("# never: %s\n", sql);
    CU_ASSERT(holds);
}

/* Of each subject the numbers rise in the order in which they had their effect. */
static void expect_order(void)
{
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect a JOIN effect b ON a.subject = b.subject"
                                       " AND a.seen < b.seen AND a.number >= b.number"), 0);
}

void bus_case_once(void)
{
    begin();
    world_publish(&world, KEYS, 0, 60);
    world_publish(&world, KEYS, 20, 40);    /* as a relay does that could not mark what it had published */
    start(world.bus);
    world_publish(&world, KEYS, 40, 40);
    await("SELECT count(*) = 80 FROM effect");
    expect_order();
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM inbox"), 80);
    end();
}

void bus_case_poison(void)
{
    begin();
    poisoned_number = 7;
    world_publish(&world, KEYS, 0, 40);
    start(world.bus);
    await("SELECT count(*) = 39 FROM effect");
    await("SELECT count(*) = 1 FROM dead_letter");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM effect WHERE number = 7"), 0);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT attempts FROM dead_letter"), 3);
    expect_order();
    end();
}

/* Sends the first again. */
static enum err redrive(struct db_connection *connection, void *context)
{
    (void)context;
    struct db_statement *query = db_query(connection, "SELECT min(number) FROM dead_letter");
    int64_t first = db_next(query) ? db_int(query, 0) : 0;
    enum err err = db_done(query);
    return err ? err : dead_letter_redrive(connection, &(struct dead_letter_act){.number = first, .by = TEXT("test")});
}

void bus_case_redrive(void)
{
    begin();
    poisoned_number = 3;
    world_publish(&world, KEYS, 0, 10);
    start(world.bus);
    await("SELECT count(*) = 1 FROM dead_letter");
    poisoned_number = -1;
    CU_ASSERT_EQUAL(db_write(db, redrive, NULL), ERR_NONE);
    await("SELECT count(*) = 10 FROM effect");
    await("SELECT count(*) = 0 FROM dead_letter");
    end();
}

/* ---- in processes of their own ---- */

/* A consumer until it is killed, or dies of an event. */
static pid_t fork_consumer(void)
{
    fflush(stdout);
    pid_t child = fork();
    CU_ASSERT_FATAL(child >= 0);
    if (child == 0) {
        db = fixture_db_open(&scratch, "service.db");
        start(world_open(&world));
        pause();
        _exit(1);
    }
    return child;
}

static void close_all(void)
{
    db_close(db);
    db = NULL;
    bus_close(world.bus);
    world.bus = NULL;
}

static void open_all(void)
{
    world.bus = world_open(&world);
    db = fixture_db_open(&scratch, "service.db");
}

/* Ends its consumer each time, until the broker has enough of it: with it whatever the consumer had taken ahead. */
void bus_case_given_up(void)
{
    enum { DEATHS_MAX = 20, LIMIT = 3 };
    begin_limited(LIMIT);
    world_publish(&world, KEYS, 0, 10);
    close_all();
    deadly_number = 4;
    int status = 0, deaths = 0;
    for (bool is_dead = false; !is_dead && deaths < DEATHS_MAX; deaths++) {
        pid_t child = fork_consumer();
        open_all();
        while (!is_dead && waitpid(child, &status, WNOHANG) == 0)
            is_dead = process_until(is_one, (void *)(uintptr_t)"SELECT count(*) >= 1 FROM dead_letter", 200);
        close_all();
        if (is_dead) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
        }
    }
    open_all();
    printf("# given up after %d deaths\n", deaths);
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(*) FROM dead_letter WHERE cause LIKE 'the broker gave it up%'"
                                       " AND event_id LIKE '%-4'"), 1);
    deadly_number = -1;
    start(world.bus);
    await("SELECT (SELECT count(*) FROM effect) + (SELECT count(*) FROM dead_letter) = 10");
    while (scratch_number(db, "SELECT count(*) FROM dead_letter") > 0 && db_write(db, redrive, NULL) == ERR_NONE)
        continue;
    await("SELECT count(*) = 10 FROM effect");
    CU_ASSERT_EQUAL(scratch_number(db, "SELECT count(DISTINCT number) FROM effect"), 10);
    end();
}

void bus_case_takeover(void)
{
    enum { EVENTS = 200 };
    begin();
    close_all();
    pid_t first = fork_consumer();
    open_all();
    world_publish(&world, KEYS, 0, EVENTS / 2);
    await("SELECT count(*) > 10 FROM effect");
    start(world.bus);
    CU_ASSERT_EQUAL(kill(first, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(first, NULL, 0), first);
    world_publish(&world, KEYS, EVENTS / 2, EVENTS / 2);
    await("SELECT count(*) = 200 FROM effect");
    expect_order();
    end();
}
