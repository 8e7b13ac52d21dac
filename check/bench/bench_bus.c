/*
 * The way of many events through a bus: from the outbox of one service over its relay, the bus and the consumer of
 * another into that one's database, all durable. How many a second, and whether each had its effect once and those of
 * every key in order, as the database says in the end. Compiled once for each kind of broker (check/harness/broker.h).
 *
 *   EVENTS=N, KEYS=N      100000 and 10000
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "check/harness/broker.h"
#include "check/harness/process.h"
#include "check/unit/events_fixture.h"
#include "events/consumer.h"
#include "events/outbox.h"

enum { ADDED_TOGETHER = 100, BATCH = 256, PATIENCE_MS = 600000 };

static const struct broker *const broker = &BROKER;
static struct scratch scratch;
static unsigned events = 100000, keys = 10000;

static enum err take(struct db_connection *connection, const struct event *event, void *context)
{
    (void)context;
    struct db_statement *insert = db_query(connection, "INSERT INTO effect (number, subject) VALUES ($1, $2)");
    db_bind_int(insert, 1, fixture_number(event));
    db_bind_text(insert, 2, event->subject);
    return db_run(insert, NULL);
}

static enum err add(struct db_connection *connection, void *context)
{
    const unsigned *first = context;
    enum err err = ERR_NONE;
    for (unsigned i = *first; !err && i < *first + ADDED_TOGETHER && i < events; i++) {
        char subject[24];
        snprintf(subject, sizeof subject, "key %u", i % keys);
        struct event event = fixture_event("a.v1", subject, (int)i);
        err = outbox_add(connection, &event);
    }
    return err;
}

static bool is_through(void *context)
{
    struct consumer_stats stats;
    consumer_stats(context, &stats);
    return stats.handled >= events;
}

static unsigned number(const char *variable, unsigned fallback)
{
    int64_t value;
    const char *given = getenv(variable);
    return given && !text_to_int(text_of(given), &value) && value > 0 ? (unsigned)value : fallback;
}

static void tell_failure(void *context, enum err err)
{
    (void)context;
    printf("# publishing: %s: %s\n", err_name(err), err_cause());
}

static int measure(struct bus *from, struct bus *to)
{
    static const struct event_handler handlers[] = {{"a.v1", take}};
    struct db *producer = fixture_db_open(&scratch, "producer.db");
    struct db *consumer_db = fixture_db_open(&scratch, "consumer.db");
    struct consumer *consumer = NULL;
    struct relay *relay = NULL;
    struct consumer_opts consumer_opts = {
        .db = consumer_db, .bus = to, .group = "bench", .handlers = handlers, .handler_count = 1, .batch_max = BATCH,
        .attempts_max = 3, .retry_first_ms = 10, .retry_max_ms = 100, .inbox_retention_s = 3600};
    struct relay_opts relay_opts = {.db = producer, .bus = from, .batch_max = BATCH, .retry_max_ms = 1000,
                                    .failed = tell_failure};
    if (consumer_new(&consumer_opts, &consumer) || consumer_start(consumer) || relay_new(&relay_opts, &relay)
        || relay_start(relay))
        return 1;
    int64_t start_ns = clock_now_ns();
    for (unsigned i = 0; i < events; i += ADDED_TOGETHER)
        if (db_write(producer, add, &i))
            return 1;
    bool is_whole = process_until(is_through, consumer, PATIENCE_MS);
    double seconds = (double)(clock_now_ns() - start_ns) / 1e9;
    relay_free(relay);
    consumer_free(consumer);

    long long lost = (long long)events - scratch_number(consumer_db, "SELECT count(DISTINCT number) FROM effect");
    long long repeated = scratch_number(consumer_db, "SELECT count(*) - count(DISTINCT number) FROM effect");
    long long turned = scratch_number(consumer_db,
                                      "SELECT count(*) FROM (SELECT number, lag(number) OVER (PARTITION BY subject"
                                      " ORDER BY seen) AS before FROM effect) AS each WHERE before >= number");
    printf("%-18s %u events of %u keys: %.0f a second from outbox to effect; %lld lost, %lld repeated, %lld out of"
           " order\n", broker->name, events, keys, events / seconds, lost, repeated, turned);
    db_close(producer);
    db_close(consumer_db);
    return !is_whole || lost || repeated || turned;
}

int main(void)
{
    struct bus *from = NULL, *to = NULL;
    events = number("EVENTS", events);
    keys = number("KEYS", keys);
    if (broker->lacks()) {
        printf("%-18s %s\n", broker->name, broker->lacks());
        return EXIT_SUCCESS;
    }
    scratch_init(&scratch);
    struct bus_opts opts = {.url = NULL};
    enum err err = broker->start();
    if (!err)
        opts = broker->opts("bench");
    opts.groups = "bench";
    if (!err)
        err = bus_open(&opts, &from);
    if (!err)
        err = bus_open(&opts, &to);
    int status = err ? EXIT_FAILURE : measure(from, to);
    if (err)
        printf("%s: %s\n", broker->name, err_cause());
    bus_close(from);
    bus_close(to);
    broker->stop();
    scratch_fini(&scratch);
    return status;
}
