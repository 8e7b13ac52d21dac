/* The log: what a line says, that input cannot forge one, and that nobody ever waits for the sink. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "check/harness/suite.h"
#include "telemetry/log.h"
#include "telemetry/log_head.h"
#include "telemetry/log_record.h"

#define LOG_MODULE LOG_MODULE_BASE

enum { OUTPUT_BYTES = 1 << 20, THREADS = 4, LINES = 500, TURNS = 200, TURN_THREADS = 5, WAIT_MS = 10000 };

static int sink[2];
static char output[OUTPUT_BYTES];

static void begin(enum log_format format, size_t buffer_bytes, unsigned flush_ms)
{
    struct log_opts opts = {.service = "order", .instance = "a1", .level = LOG_INFO, .format = format,
                            .buffer_bytes = buffer_bytes, .flush_ms = flush_ms};

    CU_ASSERT_EQUAL_FATAL(pipe(sink), 0);
    fcntl(sink[0], F_SETFL, O_NONBLOCK);
    fcntl(sink[1], F_SETPIPE_SZ, OUTPUT_BYTES);
    opts.fd = sink[1];
    CU_ASSERT_EQUAL_FATAL(log_open(&opts), ERR_NONE);
}

static void end(void)
{
    log_close(WAIT_MS);
    close(sink[0]);
    close(sink[1]);
}

/* What is in the pipe now. */
static const char *read_sink(void)
{
    size_t length = 0;
    ssize_t got;

    while ((got = read(sink[0], output + length, sizeof output - 1 - length)) > 0)
        length += (size_t)got;
    output[length] = '\0';
    return output;
}

static const char *lines(void)
{
    CU_ASSERT_TRUE(log_flush(WAIT_MS));
    return read_sink();
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        count++;
    return count;
}

static void test_fields(void)
{
    begin(LOG_JSON, 0, 0);
    err_clear();
    log_event(LOG_INFO, "order placed", LOG_TEXT("order_id", TEXT("o7")), LOG_STRING("sku", NULL), LOG_INT("lines", -3),
              LOG_BOOL("late", true), LOG_NUMBER("ratio", 0.5), LOG_DURATION("took_ms", 1250000), LOG_SECRET("token"),
              LOG_ERR(ERR_BUSY));
    const char *line = lines();
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"level\":\"info\",\"service\":\"order\",\"instance\":\"a1\","
                                        "\"msg\":\"order placed\",\"module\":\"base\",\"order_id\":\"o7\","
                                        "\"sku\":null,\"lines\":-3,"
                                        "\"late\":true,\"ratio\":0.5,\"took_ms\":1.25,\"token\":\"[redacted]\","
                                        "\"error\":\"ERR_BUSY\"}\n"));
    struct text time = {strstr(line, "{\"time\":\"") + 9, 27};
    int64_t time_us;
    CU_ASSERT_EQUAL(clock_parse_rfc3339(time, &time_us), ERR_NONE);
    CU_ASSERT(llabs(clock_wall_us() - time_us) < 60 * US_PER_S);
    log_event(LOG_ERROR, "failed", LOG_ERR(err_because(ERR_IO, "open x: denied")));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"error\":\"ERR_IO\",\"cause\":\"open x: denied\"}\n"));
    log_event(LOG_CRITICAL, "nothing more");
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"msg\":\"nothing more\",\"module\":\"base\"}\n"));
    end();
}

static void test_members(void)
{
    const struct log_field fields[] = {LOG_STRING("route", "/v1/\"x\""), LOG_NOTHING, LOG_INT("status", 200)};
    const struct log_members *members = log_members_new(fields, sizeof fields / sizeof fields[0]);

    CU_ASSERT_PTR_NOT_NULL_FATAL(members);
    CU_ASSERT_PTR_NULL(log_members_new(NULL, 0));
    begin(LOG_JSON, 0, 0);
    for (int i = 0; i < 2; i++)
        log_event(LOG_INFO, "ready", LOG_MEMBERS(members), LOG_INT("bytes", i));
    log_event(LOG_INFO, "none", LOG_MEMBERS(NULL));
    CU_ASSERT_EQUAL(count_of(lines(), "\"module\":\"base\",\"route\":\"/v1/\\\"x\\\"\",\"status\":200,\"bytes\":"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\"msg\":\"none\",\"module\":\"base\"}\n"));
    end();
    begin(LOG_TERMINAL, 0, 0);
    log_event(LOG_INFO, "ready", LOG_MEMBERS(members), LOG_INT("bytes", 7));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "ready route=\"/v1/\\\"x\\\"\" status=200 bytes=7\n"));
    end();
}

/* A line tells what was so when it was logged, though it is made later. */
static void test_as_it_was(void)
{
    char *text = strdup("as it was");
    struct log_context context = {.request_id = {text, strlen(text)}};
    char longer[LOG_VALUE_MAX_BYTES];

    begin(LOG_JSON, 0, 0);
    log_context_set(&context);
    log_event(LOG_INFO, "failed", LOG_STRING("text", text), LOG_ERR(err_because(ERR_IO, "the cause")));
    err_clear();
    memset(text, 'x', strlen(text));
    free(text);
    log_context_set(NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"request_id\":\"as it was\",\"text\":\"as it was\","
                                           "\"error\":\"ERR_IO\",\"cause\":\"the cause\"}\n"));
    memset(longer, 'y', sizeof longer);   /* longer than most */
    log_event(LOG_INFO, "long", LOG_TEXT("one", ((struct text){longer, sizeof longer})),
              LOG_TEXT("other", ((struct text){longer, sizeof longer})));
    CU_ASSERT_EQUAL(count_of(lines(), "yyyyyyyyyyyyyyyy"), 2 * LOG_VALUE_MAX_BYTES / 16);
    end();
}

static void test_too_many_fields(void)
{
    struct log_field fields[LOG_FIELDS_MAX + 1];
    const struct log_what what = {LOG_MODULE_BASE, LOG_INFO, "many", true};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        fields[i] = LOG_INT("number", 7);
    begin(LOG_JSON, 0, 0);
    log_write(&what, 0, fields, LOG_FIELDS_MAX);
    CU_ASSERT_EQUAL(count_of(lines(), "\"number\":7"), LOG_FIELDS_MAX);
    log_write(&what, 0, fields, LOG_FIELDS_MAX + 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"msg\":\"many\",\"module\":\"base\",\"fields_left_out\":true}\n"));
    end();
}

/* More events than heads are kept, of two logs in turn. */
static void test_heads(void)
{
    for (int round = 0; round < 3; round++) {
        begin(LOG_JSON, 0, 0);
        log_event(LOG_INFO, "a"); log_event(LOG_WARNING, "a"); log_event(LOG_INFO, "b"); log_event(LOG_INFO, "c");
        log_event(LOG_INFO, "d"); log_event(LOG_INFO, "e"); log_event(LOG_INFO, "f"); log_event(LOG_INFO, "g");
        log_event(LOG_INFO, "h"); log_event(LOG_INFO, "i"); log_event(LOG_INFO, "j"); log_event(LOG_INFO, "k");
        lines();
        for (char c = 'a'; c <= 'k'; c++) {
            char wanted[32];
            snprintf(wanted, sizeof wanted, "\"msg\":\"%c\",\"module\"", c);
            CU_ASSERT_EQUAL(count_of(output, wanted), c == 'a' ? 2 : 1);
        }
        CU_ASSERT_EQUAL(count_of(output, "\"level\":\"warning\",\"service\":\"order\""), 1);
        end();
    }
}

/* It is then no line, and nothing else comes of it. */
static void test_no_memory_for_a_head(void)
{
    const struct log_what what = {LOG_MODULE_BASE, LOG_INFO, "a", true};
    struct buf none;

    buf_init(&none, 0);
    log_head_format(&what, "order", NULL, &none);
    CU_ASSERT_EQUAL(buf_check(&none), ERR_MEMORY);
    buf_fini(&none);
}

static void test_context(void)
{
    struct log_context context = {.request_id = TEXT("r1"), .trace_id = TEXT("t1"), .span_id = TEXT("s1"),
                                  .user_id = TEXT("u1")};
    char longer[200];

    begin(LOG_JSON, 0, 0);
    log_context_set(&context);
    log_event(LOG_INFO, "a");
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"msg\":\"a\",\"module\":\"base\",\"request_id\":\"r1\","
                                           "\"trace_id\":\"t1\",\"span_id\":\"s1\",\"user_id\":\"u1\"}"));
    memset(longer, 'x', sizeof longer);
    context = (struct log_context){.trace_id = {longer, sizeof longer}};
    log_context_set(&context);
    log_event(LOG_INFO, "b");
    CU_ASSERT_EQUAL(count_of(lines(), "x"), LOG_CONTEXT_MAX_BYTES);
    CU_ASSERT_PTR_NULL(strstr(output, "user_id"));
    log_context_set(NULL);
    log_event(LOG_INFO, "c");
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"msg\":\"c\",\"module\":\"base\"}"));
    end();
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void test_levels(void)
{
    enum log_level level = LOG_CRITICAL;

    begin(LOG_JSON, 0, 0);
    evaluated = 0;
    log_event(LOG_DEBUG, "no", LOG_INT("n", evaluate()));
    CU_ASSERT_EQUAL(evaluated, 0);
    log_level_set(LOG_DEBUG);
    log_event(LOG_DEBUG, "yes", LOG_INT("n", evaluate()));
    CU_ASSERT_EQUAL(evaluated, 1);
    CU_ASSERT_EQUAL(count_of(lines(), "\n"), 1);
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
    end();
}

static const struct text hostile = TEXT("a\n{\"level\":\"forged\"}\r\033[31m\"\\\x7f\xc2\x9b\xff\xe2\x80\xa8");

static void test_forged_json(void)
{
    size_t members;

    begin(LOG_JSON, 0, 0);
    log_event(LOG_INFO, "read", LOG_TEXT("input", hostile));
    lines();
    CU_ASSERT_EQUAL(count_of(output, "\n"), 1);
    CU_ASSERT_PTR_NULL(strchr(output, '\033'));
    CU_ASSERT_EQUAL(json_check((struct text){output, strlen(output)}, &members), ERR_NONE);
    log_event(LOG_INFO, "read", LOG_TEXT("input", TEXT("a\0b")));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"a\\u0000b\""));
    end();
}

static void test_forged_terminal(void)
{
    begin(LOG_TERMINAL, 0, 0);
    log_event(LOG_WARNING, "read", LOG_TEXT("input", hostile), LOG_STRING("plain", "a=b"), LOG_STRING("empty", ""),
              LOG_STRING("quoted", "say \"\xc3\xa9\""), LOG_STRING("control", "\xc2\x9b"));
    lines();
    CU_ASSERT_EQUAL(count_of(output, "\n"), 1);
    CU_ASSERT_PTR_NULL(strchr(output, '\033'));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, " warning  order     read input=\"a\\n{\\\"level\\\":\\\"forged\\\"}"
                                          "\\x0d\\x1b[31m"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, " plain=a=b empty=\"\" quoted=\"say \\\"\xc3\xa9\\\"\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, " control=\"\\xc2\\x9b\"\n"));
    end();
}

static void test_long_lines(void)
{
    static char large[LOG_LINE_MAX_BYTES];
    struct text text = {large, sizeof large};

    memset(large, 'x', sizeof large);
    begin(LOG_JSON, 0, 0);
    log_event(LOG_INFO, "cut", LOG_TEXT("large", text));
    CU_ASSERT_EQUAL(count_of(lines(), "x"), LOG_VALUE_MAX_BYTES);
    memset(large, '\001', sizeof large);
    log_event(LOG_INFO, "too long", LOG_TEXT("a", text), LOG_TEXT("b", text));
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "\"msg\":\"too long\",\"module\":\"base\",\"fields_left_out\":true}\n"));
    end();
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

    begin(LOG_JSON, 1 << 20, 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, log_many, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_TRUE(are_in_order(lines(), counts));
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL(counts[i], LINES);
    log_stats(&stats);
    CU_ASSERT_EQUAL(stats.written, THREADS * LINES);
    CU_ASSERT_EQUAL(stats.dropped, 0);
    end();
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

    begin(LOG_JSON, 1 << 20, 3600 * 1000);
    for (int i = 0; i < TURN_THREADS; i++) {
        sem_init(&turns[i], 0, i == 0);
        pthread_create(&threads[i], NULL, log_turns, &turns[i]);
    }
    for (int i = 0; i < TURN_THREADS; i++)
        pthread_join(threads[i], NULL);
    for (const char *line = lines(); (line = strstr(line, "\"turn\":")); line++)
        CU_ASSERT(sscanf(line, "\"turn\":%d}", &number) == 1 && number == expected++);
    CU_ASSERT_EQUAL(expected, TURNS);
    for (int i = 0; i < TURN_THREADS; i++)
        sem_destroy(&turns[i]);
    end();
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

    begin(LOG_JSON, 0, 3600 * 1000);
    pthread_create(&thread, NULL, log_at_given_times, &at_ns);
    pthread_join(thread, NULL);
    const char *first = strstr(lines(), "{"), *second = strchr(first, '\n') + 1;
    CU_ASSERT(llabs(time_of(first) - wall_us) < US_PER_S);
    CU_ASSERT_EQUAL(time_of(first), time_of(second));
    end();
}

static bool arrives(int64_t timeout_ns)
{
    int64_t until_ns = clock_now_ns() + timeout_ns;

    while (clock_now_ns() < until_ns)
        if (read_sink()[0])
            return true;
    return false;
}

static void test_flush(void)
{
    begin(LOG_JSON, 0, 20);
    log_event(LOG_INFO, "soon");
    CU_ASSERT_TRUE(arrives(5 * NS_PER_S));
    end();
    begin(LOG_JSON, 0, 3600 * 1000);
    log_event(LOG_INFO, "in an hour");
    log_event(LOG_ERROR, "at once");
    CU_ASSERT_TRUE(arrives(5 * NS_PER_S));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "in an hour"));
    end();
}

static void test_close_writes(void)
{
    begin(LOG_JSON, 0, 3600 * 1000);
    log_event(LOG_INFO, "last words");
    log_close(WAIT_MS);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_sink(), "last words"));
    log_close(WAIT_MS);
    CU_ASSERT_TRUE(log_flush(0));
    close(sink[0]);
    close(sink[1]);
}

static bool arrives_text(const char *text)
{
    int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;

    while (clock_now_ns() < until_ns)
        if (strstr(read_sink(), text))
            return true;
    return false;
}

static void test_stalled(void)
{
    struct log_stats stats;
    int64_t started_ns = clock_now_ns(), slowest_ns = 0;
    int number = 0;

    begin(LOG_JSON, 4096, 0);
    fcntl(sink[1], F_SETPIPE_SZ, 4096);
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
        read_sink();
    log_stats(&stats);
    uint64_t dropped = stats.dropped;
    log_event(LOG_ERROR, "again");
    CU_ASSERT_TRUE(arrives_text("again"));
    log_stats(&stats);
    CU_ASSERT_EQUAL(stats.dropped, dropped);
    end();
}

static void test_close_while_stalled(void)
{
    int64_t started_ns;
    int number = 0;

    begin(LOG_JSON, 65536, 0);
    fcntl(sink[1], F_SETPIPE_SZ, 4096);
    log_many(&number);
    started_ns = clock_now_ns();
    log_close(50);
    CU_ASSERT(clock_now_ns() - started_ns < 5 * NS_PER_S);
    close(sink[0]);
    close(sink[1]);
}

static void test_broken_sink(void)
{
    struct log_stats stats;

    begin(LOG_JSON, 0, 0);
    close(sink[0]);
    log_event(LOG_ERROR, "to nobody");
    CU_ASSERT_TRUE(log_flush(WAIT_MS));
    log_stats(&stats);
    CU_ASSERT_EQUAL(stats.written, 0);
    CU_ASSERT_EQUAL(stats.dropped, 1);
    sink[0] = open("/dev/null", O_RDONLY);
    end();
}

static void test_not_open(void)
{
    int kept = dup(STDERR_FILENO), pipe_fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    log_level_set(LOG_INFO);
    log_event(LOG_ERROR, "too early", LOG_INT("n", 1));
    dup2(kept, STDERR_FILENO);
    ssize_t got = read(pipe_fds[0], output, sizeof output - 1);
    CU_ASSERT_FATAL(got > 0);
    output[got] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "too early"));
    close(kept);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static const struct suite_case cases[] = {
    {"before it is open lines go to standard error", test_not_open},
    {"a line has its members in order", test_fields},
    {"fields made ready are in each line as if they were given", test_members},
    {"a line tells what was so when it was logged", test_as_it_was},
    {"an event of too many fields is told without them", test_too_many_fields},
    {"each event has its own head", test_heads},
    {"a head that there is no memory for harms nobody", test_no_memory_for_a_head},
    {"the context is on every line of the thread", test_context},
    {"lines below the level cost nothing", test_levels},
    {"input cannot forge a line in JSON", test_forged_json},
    {"input cannot forge a line or a colour for a terminal", test_forged_terminal},
    {"values and lines are bounded", test_long_lines},
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
