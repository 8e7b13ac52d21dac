/*
 * Figures for events: how long from the commit in one service to the commit of the effect in another, one event at a
 * time; and how many a second when there are many. Two processes, three databases, all durable.
 *
 *     bench_events [FOLDER]      where the databases go; TMPDIR or /tmp without
 */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/unit/events_fixture.h"
#include "events/consumer.h"
#include "events/outbox.h"

enum { SINGLE = 500, MANY = 30000, PAUSE_MS = 10, IN_FLIGHT = 256 };

/* Seen by both processes. */
struct board {
    atomic_llong committed_ns[SINGLE], applied_ns[SINGLE];
    atomic_int ready, applied, stop;
};

static struct board *board;
static struct scratch scratch;

/* ---- the service that consumes ---- */

static int batch_numbers[MANY];
static int batch_count;
static const char applied_topic[] = "applied";

static enum err take(struct db_connection *connection, const struct event *event, void *context)
{
    (void)context;
    struct db_statement *insert = db_query(connection, "INSERT INTO effect (number, subject) VALUES ($1, $2)");
    db_bind_int(insert, 1, fixture_number(event));
    db_bind_text(insert, 2, event->subject);
    batch_numbers[batch_count++ % MANY] = fixture_number(event);
    db_notify(connection, applied_topic);
    return db_run(insert, NULL);
}

/* After the commit, on the writer's thread like take(). */
static void note_applied(void *context)
{
    (void)context;
    int64_t now_ns = clock_now_ns();
    for (int i = 0; i < batch_count; i++)
        if (batch_numbers[i] < SINGLE)
            board->applied_ns[batch_numbers[i]] = now_ns;
    board->applied += batch_count;
    batch_count = 0;
}

static int consume(void)
{
    static const struct event_handler handlers[] = {{"a.v1", take}};
    struct db *db = fixture_db_open(&scratch, "consumer.db");
    struct bus *bus = fixture_bus_open(&scratch);
    struct consumer *consumer = NULL;
    struct consumer_opts opts = {.db = db, .bus = bus, .group = "bench", .handlers = handlers, .handler_count = 1,
                                 .batch_max = 256, .attempts_max = 3, .retry_first_ms = 10, .retry_max_ms = 100,
                                 .inbox_retention_s = 3600};
    if (db_listen(db, applied_topic, note_applied, NULL) || consumer_new(&opts, &consumer) || consumer_start(consumer))
        return 1;
    board->ready = 1;
    while (!board->stop)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    consumer_stop(consumer);
    consumer_free(consumer);
    bus_close(bus);
    db_close(db);
    return 0;
}

/* ---- the service that produces ---- */

static enum err add_event(struct db_connection *connection, void *context)
{
    const int *number = context;
    char subject[24];
    snprintf(subject, sizeof subject, "subject %d", *number % 1000);
    struct event event = fixture_event("a.v1", subject, *number);
    event.id = TEXT_NONE;
    return outbox_add(connection, &event);
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static void await(int applied)
{
    while (board->applied < applied)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS / 10}, NULL);
}

static void measure_latency(struct db *db)
{
    static int64_t latency_ns[SINGLE];
    for (int i = 0; i < SINGLE; i++) {
        if (db_write(db, add_event, &i))
            exit(1);
        board->committed_ns[i] = clock_now_ns();
        await(i + 1);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * NS_PER_MS}, NULL);
    }
    for (int i = 0; i < SINGLE; i++)
        latency_ns[i] = board->applied_ns[i] - board->committed_ns[i];
    qsort(latency_ns, SINGLE, sizeof latency_ns[0], by_size);
    printf("from commit to effect, one at a time: p50 %.2f ms, p99 %.2f ms, worst %.2f ms\n",
           latency_ns[SINGLE / 2] / 1e6, latency_ns[SINGLE * 99 / 100] / 1e6, latency_ns[SINGLE - 1] / 1e6);
}

static atomic_int next_number;
static struct {
    struct db_job job;
    int number;
} jobs[IN_FLIGHT];
static struct db *producer;

static void add_another(struct db_job *job, enum err err)
{
    int *number = job->context;
    *number = next_number++;
    if (err || (*number < SINGLE + MANY && db_submit(producer, job)))
        exit(1);
}

static void measure_throughput(struct db *db)
{
    producer = db;
    next_number = SINGLE;
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < IN_FLIGHT; i++) {
        jobs[i].number = next_number++;
        jobs[i].job = (struct db_job){.work = add_event, .done = add_another, .context = &jobs[i].number};
        if (db_submit(db, &jobs[i].job))
            exit(1);
    }
    while (next_number < SINGLE + MANY)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    int64_t added_ns = clock_now_ns() - start_ns;
    await(SINGLE + MANY);
    int64_t applied_ns = clock_now_ns() - start_ns;
    printf("%d at once: added %.0f/s, applied in the other service %.0f/s\n", MANY, MANY / (added_ns / 1e9),
           MANY / (applied_ns / 1e9));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        setenv("TMPDIR", argv[1], 1);
    scratch_init(&scratch);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (board == MAP_FAILED || child < 0)
        return 1;
    if (child == 0)
        _exit(consume());

    struct db *db = fixture_db_open(&scratch, "producer.db");
    struct bus *bus = fixture_bus_open(&scratch);
    struct relay *relay = NULL;
    struct relay_opts opts = {.db = db, .bus = bus, .batch_max = 256, .retry_max_ms = 1000};
    if (relay_new(&opts, &relay) || relay_start(relay))
        return 1;
    while (!board->ready)
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    measure_latency(db);
    measure_throughput(db);
    board->stop = 1;
    waitpid(child, NULL, 0);
    relay_free(relay);
    bus_close(bus);
    db_close(db);
    scratch_fini(&scratch);
    return 0;
}
