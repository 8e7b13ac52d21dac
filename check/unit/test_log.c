/* The log's threads: what is logged comes in order and soon, and nobody ever waits for the sink. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/log_pipe.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_BASE

enum { THREADS = 4, LINES = 500, TURNS = 200, TURN_THREADS = 5 };

static void begin(size_t buffer_bytes, unsigned flush_ms)
{
    log_pipe_open((struct log_opts){.service = "order", .instance = "a1", .level = LOG_INFO,
                                    .buffer_bytes = buffer_bytes, .flush_ms = flush_ms});
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void test_levels(void)
{
    enum log_level level = LOG_CRITICAL;

    begin(0, 0);
    evaluated = 0;
    log_event(LOG_DEBUG, "no", LOG_INT("n", evaluate()));
    CU_ASSERT_EQUAL(evaluated, 0);
    log_level_set(LOG_DEBUG);
    log_event(LOG_DEBUG, "yes", LOG_INT("n", evaluate()));
    CU_ASSERT_EQUAL(evaluated, 1);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "\n"), 1);
    for (enum log_level each = 0; each < LOG_LEVELS; each++) {
        CU_ASSERT_EQUAL(log_level_of(text_of(log_level_name(each)), &level), ERR_NONE);
        CU_ASSERT_EQUAL(level, each);
    }
    CU_ASSERT_EQUAL(log_level_of(TEXT("loud"), &level), ERR_INVALID);
    CU_ASSERT_EQUAL(level, LOG_CRITICAL);
    enum log_format format = LOG_JSON;
    CU_ASSERT_EQUAL(log_format_of(TEXT("text"), &format), ERR_NONE);
    CU_ASSERT_EQUAL(format, LOG_TERMINAL);
    CU_ASSERT_EQUAL(log_format_of(TEXT("xml"), &format), ERR_INVALID);
    log_pipe_close();
}

static void *log_many(void *context)
{
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "many", LOG_INT("thread", *(int *)context), LOG_INT("n", i));
    return NULL;
}

/* Counts the lines of each thread, and whether each is the one expected. */
static bool are_in_order(const char *text, int counts[THREADS])
{
    int thread, n;

    for (const char *line = text; (line = strstr(line, "\"thread\":")); line++)
        if (sscanf(line, "\"thread\":%d,\"n\":%d}", &thread, &n) != 2 || n != counts[thread]++)
            return false;
    return true;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], counts[THREADS] = {0};
    struct log_stats stats;

    begin(1 << 20, 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, log_many, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_TRUE(are_in_order(log_pipe_lines(), counts));
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL(counts[i], LINES);
    log_stats(&stats);
    CU_ASSERT_EQUAL(stats.written, THREADS * LINES);
    CU_ASSERT_EQUAL(stats.dropped, 0);
    log_pipe_close();
}

static sem_t turns[TURN_THREADS];

/* Its own lines, each after the one of the thread before it. */
static void *log_turns(void *context)
{
    sem_t *own = context, *next = own + 1 < turns + TURN_THREADS ? own + 1 : turns;

    for (int n = (int)(own - turns); n < TURNS; n += TURN_THREADS) {
        while (sem_wait(own) != 0)
            continue;
        log_event(LOG_INFO, "turn", LOG_INT("turn", n));
        sem_post(next);
    }
    return NULL;
}

/* All lines gather, in a ring for each thread, before the first one is written. */
static void test_times_in_order(void)
{
    pthread_t threads[TURN_THREADS];
    int number, expected = 0;

    begin(1 << 20, 3600 * 1000);
    for (int i = 0; i < TURN_THREADS; i++)
        sem_init(&turns[i], 0, i == 0);
    for (int i = 0; i < TURN_THREADS; i++)
        pthread_create(&threads[i], NULL, log_turns, &turns[i]);
    for (int i = 0; i < TURN_THREADS; i++)
        pthread_join(threads[i], NULL);
    for (const char *line = log_pipe_lines(); (line = strstr(line, "\"turn\":")); line++)
        CU_ASSERT(sscanf(line, "\"turn\":%d}", &number) == 1 && number == expected++);
    CU_ASSERT_EQUAL(expected, TURNS);
    for (int i = 0; i < TURN_THREADS; i++)
        sem_destroy(&turns[i]);
    log_pipe_close();
}

static int64_t time_of(const char *line)
{
    static const char before[] = "\"time\":\"";
    const char *at = strstr(line, before);
    int64_t wall_us = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    struct text time = {at + sizeof before - 1, CLOCK_RFC3339_SIZE - 1};
    CU_ASSERT_EQUAL(clock_parse_rfc3339(time, &wall_us), ERR_NONE);
    return wall_us;
}

/* On a thread that has logged nothing yet. */
static void *log_at_given_times(void *context)
{
    const int64_t *at_ns = context;

    log_each_at(*at_ns, LOG_INFO, "ten seconds ago");
    log_each_at(*at_ns - NS_PER_S, LOG_INFO, "not before that");
    return NULL;
}

static void test_given_time(void)
{
    pthread_t thread;
    int64_t at_ns = clock_now_ns() - 10 * NS_PER_S, wall_us = clock_wall_us() - 10 * US_PER_S;

    begin(0, 3600 * 1000);
    pthread_create(&thread, NULL, log_at_given_times, &at_ns);
    pthread_join(thread, NULL);
    const char *first = strstr(log_pipe_lines(), "{"), *second = strchr(first, '\n') + 1;
    CU_ASSERT(llabs(time_of(first) - wall_us) < US_PER_S);
    CU_ASSERT_EQUAL(time_of(first), time_of(second));
    log_pipe_close();
}

static bool arrives(int64_t timeout_ns)
{
    int64_t until_ns = clock_now_ns() + timeout_ns;

    while (clock_now_ns() < until_ns)
        if (log_pipe_read()[0])
            return true;
    return false;
}

static void test_flush(void)
{
    begin(0, 20);
    log_event(LOG_INFO, "soon");
    CU_ASSERT_TRUE(arrives(5 * NS_PER_S));
    log_pipe_close();
    begin(0, 3600 * 1000);
    log_event(LOG_INFO, "in an hour");
    log_event(LOG_ERROR, "at once");
    CU_ASSERT_TRUE(arrives(5 * NS_PER_S));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, "in an hour"));
    log_pipe_close();
}

static void test_close_writes(void)
{
    begin(0, 3600 * 1000);
    log_event(LOG_INFO, "last words");
    log_close(LOG_PIPE_WAIT_MS);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_read(), "last words"));
    log_close(LOG_PIPE_WAIT_MS);
    CU_ASSERT_TRUE(log_flush(0));
    close(log_pipe[0]);
    close(log_pipe[1]);
}

static bool arrives_text(const char *text)
{
    int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;

    while (clock_now_ns() < until_ns)
        if (strstr(log_pipe_read(), text))
            return true;
    return false;
}

static void test_stalled(void)
{
    struct log_stats stats;
    int64_t started_ns = clock_now_ns(), slowest_ns = 0;
    int number = 0;

    begin(4096, 0);
    fcntl(log_pipe[1], F_SETPIPE_SZ, 4096);
    for (int i = 0; i < 20; i++) {
        int64_t before_ns = clock_now_ns();
        log_many(&number);
        slowest_ns = clock_now_ns() - before_ns > slowest_ns ? clock_now_ns() - before_ns : slowest_ns;
    }
    CU_ASSERT(clock_now_ns() - started_ns < 20 * NS_PER_S);
    CU_ASSERT_FALSE(log_flush(10));
    log_stats(&stats);
    CU_ASSERT(stats.dropped > 0);
    /* The sink moves again: the loss is told, and lines flow. */
    CU_ASSERT_TRUE(arrives_text("\"msg\":\"log lines were dropped\",\"module\":\"base\",\"dropped\":"));
    for (int i = 0; i < 1000 && !log_flush(10); i++)
        log_pipe_read();
    log_stats(&stats);
    uint64_t dropped = stats.dropped;
    log_event(LOG_ERROR, "again");
    CU_ASSERT_TRUE(arrives_text("again"));
    log_stats(&stats);
    CU_ASSERT_EQUAL(stats.dropped, dropped);
    log_pipe_close();
}

static void test_close_while_stalled(void)
{
    int64_t started_ns;
    int number = 0;

    begin(65536, 0);
    fcntl(log_pipe[1], F_SETPIPE_SZ, 4096);
    log_many(&number);
    started_ns = clock_now_ns();
    log_close(50);
    CU_ASSERT(clock_now_ns() - started_ns < 5 * NS_PER_S);
    close(log_pipe[0]);
    close(log_pipe[1]);
}

static void test_broken_sink(void)
{
    struct log_stats stats;

    begin(0, 0);
    close(log_pipe[0]);
    log_event(LOG_ERROR, "to nobody");
    CU_ASSERT_TRUE(log_flush(LOG_PIPE_WAIT_MS));
    log_stats(&stats);
    CU_ASSERT_EQUAL(stats.written, 0);
    CU_ASSERT_EQUAL(stats.dropped, 1);
    log_pipe[0] = open("/dev/null", O_RDONLY);
    log_pipe_close();
}

static void test_not_open(void)
{
    int kept = dup(STDERR_FILENO), pipe_fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    log_level_set(LOG_INFO);
    log_event(LOG_ERROR, "too early", LOG_INT("n", 1));
    dup2(kept, STDERR_FILENO);
    ssize_t got = read(pipe_fds[0], log_pipe_text, sizeof log_pipe_text - 1);
    CU_ASSERT_FATAL(got > 0);
    log_pipe_text[got] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, "too early"));
    close(kept);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static const struct suite_case cases[] = {
    {"before it is open lines go to standard error", test_not_open},
    {"lines below the level cost nothing", test_levels},
    {"threads lose nothing and stay in order", test_threads},
    {"lines of threads are brought into order", test_times_in_order},
    {"a line has the time that is given, and none before its thread's latest", test_given_time},
    {"lines are written soon, errors at once", test_flush},
    {"closing writes what waits", test_close_writes},
    {"a stalled sink drops lines, counts them and tells", test_stalled},
    {"a stalled sink does not hold up the end", test_close_while_stalled},
    {"a broken sink harms nobody", test_broken_sink},
};

int main(void)
{
    return suite_main("log", cases, sizeof cases / sizeof cases[0]);
}
