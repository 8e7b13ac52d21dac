/* What the log leaves out on purpose: by module and level, what repeats, and what a sample leaves out. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/log_pipe.h"
#include "telemetry/log.h"

#define LOG_MODULE module

enum { BURST = 5, MANY = 2000, THREADS = 4 };

static enum log_module module;         /* the one that logs now */

static void begin(unsigned burst)
{
    module = LOG_MODULE_APP;
    log_pipe_open((struct log_opts){.level = LOG_INFO, .repeat_burst = burst, .buffer_bytes = LOG_PIPE_BYTES});
}

/* ---- levels ---- */

static void test_modules(void)
{
    enum log_level levels[LOG_MODULES];
    begin(0);
    for (enum log_module each = 0; each < LOG_MODULES; each++)
        levels[each] = LOG_ERROR;
    levels[LOG_MODULE_EVENTS] = LOG_DEBUG;
    levels[LOG_MODULE_NET] = LOG_WARNING;
    log_levels_set(levels);
    for (module = 0; module < LOG_MODULES; module++) {
        log_event(LOG_DEBUG, "fine");
        log_event(LOG_WARNING, "careful");
        log_event(LOG_ERROR, "bad");
    }
    log_pipe_lines();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"fine\",\"module\":\"events\""), 1);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"fine\""), 1);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"careful\",\"module\":\"events\""), 1);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"careful\",\"module\":\"net\""), 1);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"careful\""), 2);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"bad\""), LOG_MODULES);
    log_level_set(LOG_INFO);
    module = LOG_MODULE_STATE;
    log_event(LOG_INFO, "again");
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"again\""));
    log_pipe_close();
}

/* ---- repeats ---- */

/* The number after the key, in each line that has both, summed up. */
static long sum_of(const char *text, const char *line_has, const char *key)
{
    long sum = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        const char *is = strstr(line, line_has), *value = strstr(line, key), *stop = strchr(line, '\n');
        if (is && is < stop && value && value < stop)
            sum += strtol(value + strlen(key), NULL, 10);
    }
    return sum;
}

static void *log_many(void *context)
{
    for (int i = 0; i < MANY; i++)
        log_event(LOG_WARNING, "the same", LOG_INT("n", i));
    return context;
}

static void test_repeats(void)
{
    pthread_t threads[THREADS];
    begin(BURST);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, log_many, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    module = LOG_MODULE_NET;
    log_event(LOG_WARNING, "the same");
    log_event(LOG_ERROR, "the same");
    module = LOG_MODULE_APP;
    log_event(LOG_ERROR, "another");
    log_pipe_close();
    long held = sum_of(log_pipe_text, "\"msg\":\"repeated\",\"module\":\"app\",\"repeated_msg\":\"the same\"",
                       "\"count\":");
    size_t said = log_pipe_count(log_pipe_text, "\"msg\":\"the same\",\"module\":\"app\"");
    CU_ASSERT(said >= BURST);
    CU_ASSERT_EQUAL(said + (size_t)held, THREADS * MANY);
    CU_ASSERT_EQUAL(said % BURST, 0);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"the same\",\"module\":\"net\""), 2);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"another\""), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, "\"level\":\"warning\",\"msg\":\"repeated\""));
}

/* Without anything else being logged. */
static void test_summary_comes(void)
{
    int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
    begin(1);
    for (int i = 0; i < 10; i++)
        log_event(LOG_INFO, "steady");
    while (!strstr(log_pipe_read(), "\"repeated_msg\":\"steady\"") && clock_now_ns() < until_ns)
        continue;
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, "\"repeated_msg\":\"steady\""));
    log_pipe_close();
}

static void test_distinct_errors(void)
{
    begin(1);
    log_event(LOG_ERROR, "one");
    log_event(LOG_ERROR, "two");
    log_event(LOG_ERROR, "three");
    log_event(LOG_CRITICAL, "one");
    log_pipe_close();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\n"), 4);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "repeated"), 0);
}

static void test_never_held_back(void)
{
    begin(1);
    for (int i = 0; i < MANY; i++)
        log_each(LOG_INFO, "request", LOG_INT("n", i));
    log_pipe_close();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"request\""), MANY);
}

static void test_off(void)
{
    begin(1);
    log_repeat_set(0);
    for (int i = 0; i < MANY; i++)
        log_event(LOG_INFO, "every one");
    log_repeat_set(1);
    log_pipe_close();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"every one\""), MANY);
}

/* ---- samples ---- */

static void log_requests(void)
{
    char id[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        log_context_set(&(struct log_context){.request_id = text_of(id)});
        log_each(LOG_INFO, "first");
        log_each(LOG_INFO, "second");
        log_each(LOG_WARNING, "failed");
        log_event(LOG_INFO, "other");
    }
    log_context_set(NULL);
    log_each(LOG_INFO, "nobody's");
}

static void test_sample(void)
{
    begin(0);
    log_sample_set(10);
    log_requests();
    log_pipe_close();
    size_t first = log_pipe_count(log_pipe_text, "\"msg\":\"first\"");
    CU_ASSERT(first > MANY / 20 && first < MANY / 5);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"second\""), first);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"failed\""), MANY);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"other\""), MANY);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "nobody's"), 1);
    char *chosen = strdup(log_pipe_text);
    begin(0);
    log_sample_set(10);
    log_requests();
    log_pipe_close();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"msg\":\"first\""), first);
    const char *first_chosen = strstr(chosen, "\"first\"");
    char wanted[128];
    snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(first_chosen, "}"), first_chosen);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, wanted));
    free(chosen);
}

static const struct suite_case cases[] = {
    {"each module has its level, live", test_modules},
    {"what repeats is held back, and counted to the last line", test_repeats},
    {"repeats are summed up without another line", test_summary_comes},
    {"different messages are never taken for repeats", test_distinct_errors},
    {"lines about something else each are never held back", test_never_held_back},
    {"without a rate nothing is held back", test_off},
    {"a sample is of whole requests, the same ones everywhere, and of no failed one", test_sample},
};

int main(void)
{
    return suite_main("log_control", cases, sizeof cases / sizeof cases[0]);
}
