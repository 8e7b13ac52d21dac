/* What a line of the log says, in either form, and that input cannot forge one. */
#include "config.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "check/harness/suite.h"
#include "check/unit/log_pipe.h"
#include "telemetry/log.h"
#include "telemetry/log_head.h"
#include "telemetry/log_record.h"
#include "telemetry/trace.h"
#include "telemetry/trace_sampler.h"

#define LOG_MODULE LOG_MODULE_BASE

static void begin(enum log_format format)
{
    log_pipe_open((struct log_opts){.service = "order", .instance = "a1", .level = LOG_INFO, .format = format});
}

static void test_fields(void)
{
    begin(LOG_JSON);
    err_clear();
    log_event(LOG_INFO, "order placed", LOG_TEXT("order_id", TEXT("o7")), LOG_STRING("sku", NULL), LOG_INT("lines", -3),
              LOG_BOOL("late", true), LOG_NUMBER("ratio", 0.5), LOG_DURATION("took_ms", 1250000), LOG_SECRET("token"),
              LOG_ERR(ERR_BUSY));
    const char *line = log_pipe_lines();
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
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"error\":\"ERR_IO\",\"cause\":\"open x: denied\"}\n"));
    log_event(LOG_CRITICAL, "nothing more");
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"msg\":\"nothing more\",\"module\":\"base\"}\n"));
    log_pipe_close();
}

static void test_members(void)
{
    const struct log_field fields[] = {LOG_STRING("route", "/v1/\"x\""), LOG_NOTHING, LOG_INT("status", 200)};
    const struct log_members *members = log_members_new(fields, sizeof fields / sizeof fields[0]);

    CU_ASSERT_PTR_NOT_NULL_FATAL(members);
    CU_ASSERT_PTR_NULL(log_members_new(NULL, 0));
    begin(LOG_JSON);
    for (int i = 0; i < 2; i++)
        log_event(LOG_INFO, "ready", LOG_MEMBERS(members), LOG_INT("bytes", i));
    log_event(LOG_INFO, "none", LOG_MEMBERS(NULL));
    log_pipe_lines();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"base\",\"route\":\"/v1/\\\"x\\\"\",\"status\":200,\"bytes\":"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, "\"msg\":\"none\",\"module\":\"base\"}\n"));
    log_pipe_close();
    begin(LOG_TERMINAL);
    log_event(LOG_INFO, "ready", LOG_MEMBERS(NULL), LOG_MEMBERS(members), LOG_INT("bytes", 7));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "ready route=\"/v1/\\\"x\\\"\" status=200 bytes=7\n"));
    log_pipe_close();
}

/* A line tells what was so when it was logged, though it is made later. */
static void test_as_it_was(void)
{
    char *text = strdup("as it was");
    struct log_context context = {.request_id = {text, strlen(text)}};
    char longer[LOG_VALUE_MAX_BYTES];

    begin(LOG_JSON);
    log_context_set(&context);
    log_event(LOG_INFO, "failed", LOG_STRING("text", text), LOG_ERR(err_because(ERR_IO, "the cause")));
    err_clear();
    memset(text, 'x', strlen(text));
    free(text);
    log_context_set(NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"request_id\":\"as it was\",\"text\":\"as it was\","
                                           "\"error\":\"ERR_IO\",\"cause\":\"the cause\"}\n"));
    memset(longer, 'y', sizeof longer);   /* longer than most */
    log_event(LOG_INFO, "long", LOG_TEXT("one", ((struct text){longer, sizeof longer})),
              LOG_TEXT("other", ((struct text){longer, sizeof longer})));
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "yyyyyyyyyyyyyyyy"), 2 * LOG_VALUE_MAX_BYTES / 16);
    log_pipe_close();
}

static void test_too_many_fields(void)
{
    struct log_field fields[LOG_FIELDS_MAX + 1];
    const struct log_what what = {LOG_MODULE_BASE, LOG_INFO, "many", true};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        fields[i] = LOG_INT("number", 7);
    begin(LOG_JSON);
    log_write(&what, 0, fields, LOG_FIELDS_MAX);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "\"number\":7"), LOG_FIELDS_MAX);
    log_write(&what, 0, fields, LOG_FIELDS_MAX + 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"many\",\"module\":\"base\",\"fields_left_out\":true}\n"));
    fields[0] = LOG_NOTHING;           /* is none, and so are members that there are not */
    log_write(&what, 0, fields, LOG_FIELDS_MAX + 1);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "\"number\":7"), LOG_FIELDS_MAX);
    fields[0] = LOG_MEMBERS(NULL);
    log_write(&what, 0, fields, LOG_FIELDS_MAX + 1);
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "\"number\":7"), LOG_FIELDS_MAX);
    log_pipe_close();
}

/* More events than heads are kept, of two logs in turn. */
static void test_heads(void)
{
    for (int round = 0; round < 3; round++) {
        begin(LOG_JSON);
        log_event(LOG_INFO, "a"); log_event(LOG_WARNING, "a"); log_event(LOG_INFO, "b"); log_event(LOG_INFO, "c");
        log_event(LOG_INFO, "d"); log_event(LOG_INFO, "e"); log_event(LOG_INFO, "f"); log_event(LOG_INFO, "g");
        log_event(LOG_INFO, "h"); log_event(LOG_INFO, "i"); log_event(LOG_INFO, "j"); log_event(LOG_INFO, "k");
        log_pipe_lines();
        for (char c = 'a'; c <= 'k'; c++) {
            char wanted[32];
            snprintf(wanted, sizeof wanted, "\"msg\":\"%c\",\"module\"", c);
            CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, wanted), c == 'a' ? 2 : 1);
        }
        CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\"level\":\"warning\",\"service\":\"order\""), 1);
        log_pipe_close();
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

    begin(LOG_JSON);
    log_context_set(&context);
    log_event(LOG_INFO, "a");
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"msg\":\"a\",\"module\":\"base\",\"request_id\":\"r1\","
                                           "\"trace_id\":\"t1\",\"span_id\":\"s1\",\"user_id\":\"u1\"}"));
    memset(longer, 'x', sizeof longer);
    context = (struct log_context){.trace_id = {longer, sizeof longer}};
    log_context_set(&context);
    log_event(LOG_INFO, "b");
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "x"), LOG_CONTEXT_MAX_BYTES);
    CU_ASSERT_PTR_NULL(strstr(log_pipe_text, "user_id"));
    log_context_set(NULL);
    log_event(LOG_INFO, "c");
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"msg\":\"c\",\"module\":\"base\"}"));
    log_pipe_close();
}

/* A span that the thread works on is told of, unless the context has a trace's id. */
static void test_own_ids(void)
{
    static const char ids[] = "000102030405060708090a0b0c0d0e0f", root[] = "1011121314151617";
    struct log_context context = {.request_id = TEXT("r1"), .span_id = TEXT("no span"), .user_id = TEXT("u1")};
    struct trace_context parent = {.flags = TRACE_SAMPLED};
    struct trace_part part;
    struct arena arena;

    for (size_t i = 0; i < TRACE_ID_BYTES; i++)
        parent.trace_id[i] = (unsigned char)i;
    arena_init(&arena, 1 << 20);
    trace_sampling_set(&(struct trace_sampling){.enabled = true, .sampler = TRACE_ALWAYS_ON});
    trace_part_begin(&part, &arena, &parent, TEXT("HTTP"), SPAN_SERVER, 1);
    for (size_t i = 0; i < SPAN_ID_BYTES; i++)
        part.root->id[i] = (unsigned char)(16 + i);
    for (enum log_format format = LOG_JSON; format <= LOG_TERMINAL; format++) {
        begin(format);
        trace_enter(&part);
        log_context_set(&context);
        log_event(LOG_INFO, "of a span", LOG_INT("n", 1));
        const char *line = log_pipe_lines(), *trace = strstr(line, ids), *span = strstr(line, root);
        CU_ASSERT_PTR_NOT_NULL_FATAL(trace && span ? trace : NULL);
        CU_ASSERT(strstr(line, "r1") < trace && trace < span && span < strstr(line, "u1"));
        CU_ASSERT_PTR_NULL(strstr(line, "no span"));
        log_context_set(&(struct log_context){.trace_id = TEXT("another")});
        log_event(LOG_INFO, "of another");
        CU_ASSERT(strstr(log_pipe_lines(), "another") && !strstr(log_pipe_text, ids));
        log_context_set(NULL);
        trace_enter(NULL);
        log_pipe_close();
    }
    trace_sampling_set(&(struct trace_sampling){.enabled = false});
    arena_fini(&arena);
}

static const struct text hostile = TEXT("a\n{\"level\":\"forged\"}\r\033[31m\"\\\x7f\xc2\x9b\xff\xe2\x80\xa8");

static void test_forged_json(void)
{
    size_t members;

    begin(LOG_JSON);
    log_event(LOG_INFO, "read", LOG_TEXT("input", hostile));
    log_pipe_lines();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\n"), 1);
    CU_ASSERT_PTR_NULL(strchr(log_pipe_text, '\033'));
    CU_ASSERT_EQUAL(json_check((struct text){log_pipe_text, strlen(log_pipe_text)}, &members), ERR_NONE);
    log_event(LOG_INFO, "read", LOG_TEXT("input", TEXT("a\0b")));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"a\\u0000b\""));
    log_pipe_close();
}

static void test_forged_terminal(void)
{
    begin(LOG_TERMINAL);
    log_event(LOG_WARNING, "read", LOG_TEXT("input", hostile), LOG_STRING("plain", "a=b"), LOG_STRING("empty", ""),
              LOG_STRING("quoted", "say \"\xc3\xa9\""), LOG_STRING("control", "\xc2\x9b"));
    log_pipe_lines();
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_text, "\n"), 1);
    CU_ASSERT_PTR_NULL(strchr(log_pipe_text, '\033'));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, " warning  order     read input=\"a\\n{\\\"level\\\":\\\"forged\\\"}"
                                          "\\x0d\\x1b[31m"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, " plain=a=b empty=\"\" quoted=\"say \\\"\xc3\xa9\\\"\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, " control=\"\\xc2\\x9b\"\n"));
    log_pipe_close();
}

static void test_long_lines(void)
{
    static char large[LOG_LINE_MAX_BYTES];
    struct text text = {large, sizeof large};

    memset(large, 'x', sizeof large);
    begin(LOG_JSON);
    log_event(LOG_INFO, "cut", LOG_TEXT("large", text));
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "x"), LOG_VALUE_MAX_BYTES);
    memset(large, '\001', sizeof large);
    log_event(LOG_INFO, "too long", LOG_TEXT("a", text), LOG_TEXT("b", text));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"too long\",\"module\":\"base\",\"fields_left_out\":true}\n"));
    log_pipe_close();
}

/* With so many bytes in its last field. */
static bool is_whole(size_t length)
{
    static char text[LOG_LINE_MAX_BYTES];
    struct log_field fields[9];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 8; i++)
        fields[i] = LOG_TEXT("text", ((struct text){text, 1980}));
    fields[8] = LOG_TEXT("rest", ((struct text){text, length}));
    log_write(&(const struct log_what){LOG_MODULE_BASE, LOG_INFO, "edge", true}, 0, fields, 9);
    size_t line = strlen(log_pipe_lines());
    CU_ASSERT(log_pipe_text[line - 1] == '\n' && log_pipe_count(log_pipe_text, "\n") == 1);
    CU_ASSERT(line <= LOG_LINE_MAX_BYTES);
    return strstr(log_pipe_text, "rest");
}

/* A line of the greatest length is whole, and one that would be longer by a byte leaves its fields out. */
static void test_edge(void)
{
    for (enum log_format format = LOG_JSON; format <= LOG_TERMINAL; format++) {
        size_t most = 0;
        begin(format);
        while (most < LOG_VALUE_MAX_BYTES && is_whole(most))
            most++;
        CU_ASSERT(most > 0 && most < LOG_VALUE_MAX_BYTES && is_whole(most - 1));
        CU_ASSERT_EQUAL(strlen(log_pipe_text), LOG_LINE_MAX_BYTES);
        log_pipe_close();
    }
}

/* The worst there is: every byte of it is escaped. */
static void test_escaped_all(void)
{
    static char text[LOG_VALUE_MAX_BYTES];
    struct log_field fields[10];
    size_t members;

    memset(text, '\001', sizeof text);
    for (size_t i = 0; i < 10; i++)
        fields[i] = LOG_TEXT("text", ((struct text){text, sizeof text}));
    for (enum log_format format = LOG_JSON; format <= LOG_TERMINAL; format++) {
        begin(format);
        log_event(LOG_INFO, "one", LOG_TEXT("text", ((struct text){text, sizeof text})), LOG_INT("n", 7));
        const char *escape = format == LOG_JSON ? "\\u0001" : "\\x01", *line = log_pipe_lines();
        CU_ASSERT_EQUAL(log_pipe_count(line, escape), LOG_VALUE_MAX_BYTES);
        CU_ASSERT_PTR_NOT_NULL(strstr(line, format == LOG_JSON ? "\",\"n\":7}\n" : "\" n=7"));
        CU_ASSERT(format != LOG_JSON || json_check(text_of(line), &members) == ERR_NONE);
        log_write(&(const struct log_what){LOG_MODULE_BASE, LOG_INFO, "ten", true}, 0, fields, 10);
        CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "fields_left_out"));
        CU_ASSERT_PTR_NULL(strstr(log_pipe_text, escape));
        log_pipe_close();
    }
}

/* Of those that JSON makes longer than a terminal does, more than a line has: there are none then. */
static void test_members_too_long_as_json(void)
{
    static char text[LOG_VALUE_MAX_BYTES];
    struct log_field fields[2];

    memset(text, '\001', sizeof text);
    for (size_t i = 0; i < 2; i++)
        fields[i] = LOG_TEXT("text", ((struct text){text, 1500}));
    CU_ASSERT_PTR_NULL(log_members_new(fields, 2));
    CU_ASSERT_PTR_NOT_NULL(log_members_new(fields, 1));
}

static void test_long_numbers(void)
{
    begin(LOG_JSON);
    log_event(LOG_INFO, "numbers", LOG_NUMBER("least", -DBL_MAX), LOG_NUMBER("third", -1.0 / 3),
              LOG_INT("n", INT64_MIN), LOG_DURATION("ms", INT64_MIN));
    log_pipe_lines();
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_text, "\"least\":-1.7976931348623157e+308,\"third\":-0.3333333333333333,"
                                                 "\"n\":-9223372036854775808,\"ms\":-9223372036854.775}\n"));
    log_pipe_close();
}

/* What is ready is no longer than a line, and nor is a line with it. */
static void test_long_members(void)
{
    static char text[LOG_VALUE_MAX_BYTES];
    struct log_field fields[9];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 9; i++)
        fields[i] = LOG_TEXT("text", ((struct text){text, sizeof text}));
    CU_ASSERT_PTR_NULL(log_members_new(fields, 9));
    const struct log_members *members = log_members_new(fields, 7);
    CU_ASSERT_PTR_NOT_NULL_FATAL(members);
    begin(LOG_JSON);
    log_event(LOG_INFO, "once", LOG_MEMBERS(members));
    CU_ASSERT_EQUAL(log_pipe_count(log_pipe_lines(), "\"text\""), 7);
    log_event(LOG_INFO, "twice", LOG_MEMBERS(members), LOG_MEMBERS(members));
    CU_ASSERT_PTR_NOT_NULL(strstr(log_pipe_lines(), "\"twice\",\"module\":\"base\",\"fields_left_out\":true}\n"));
    log_pipe_close();
}

static const struct suite_case cases[] = {
    {"a line has its members in order", test_fields},
    {"fields made ready are in each line as if they were given", test_members},
    {"a line tells what was so when it was logged", test_as_it_was},
    {"an event of too many fields is told without them", test_too_many_fields},
    {"each event has its own head", test_heads},
    {"a head that there is no memory for harms nobody", test_no_memory_for_a_head},
    {"the context is on every line of the thread", test_context},
    {"a line tells of the span that the thread works on", test_own_ids},
    {"input cannot forge a line in JSON", test_forged_json},
    {"input cannot forge a line or a colour for a terminal", test_forged_terminal},
    {"values and lines are bounded", test_long_lines},
    {"the longest line is whole", test_edge},
    {"texts that are nothing but escapes are bounded too", test_escaped_all},
    {"the longest numbers are whole", test_long_numbers},
    {"fields made ready are bounded as JSON", test_members_too_long_as_json},
    {"fields made ready are bounded as a line is", test_long_members},
};

int main(void)
{
    return suite_main("log_line", cases, sizeof cases / sizeof cases[0]);
}
