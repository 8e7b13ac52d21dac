#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/suite.h"
#include "events/event.h"
#include "telemetry/trace.h"

static const struct event whole = {
    .id = {"0190b6a0-0000-7000-8000-000000000001", 36},
    .type = {"order.placed.v1", 15},
    .source = {"/tandem/order", 13},
    .subject = {"order \"1\"\\", 10},
    .time_us = 1790000000123456,
    .traceparent = {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55},
    .tracestate = {"congo=t61rcWkgMzE,rojo@vendor=\"00f067aa\"", 40},
    .request_id = {"abc", 3},
    .data = {"{ \"total\" : [1, {\"data\": \"}\\\"\"}] }", 34},
};

static struct arena arena;

static enum err read_string(const char *json, struct event *ret)
{
    arena_fini(&arena);
    arena_init(&arena, 1024 * 1024);
    return event_read(text_of(json), &arena, ret);
}

static bool same(struct text a, struct text b)
{
    return (a.at == NULL) == (b.at == NULL) && text_equal(a, b);
}

static void check_round_trip(const struct event *event)
{
    struct buf out;
    struct event back;
    buf_init(&out, EVENT_MAX_BYTES);
    event_write(event, &out);
    CU_ASSERT_EQUAL(buf_check(&out), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(read_string(buf_string(&out), &back), ERR_NONE);
    CU_ASSERT(same(back.id, event->id) && same(back.type, event->type) && same(back.source, event->source));
    CU_ASSERT(same(back.subject, event->subject) && same(back.traceparent, event->traceparent));
    CU_ASSERT(same(back.tracestate, event->tracestate));
    CU_ASSERT(same(back.request_id, event->request_id) && same(back.data, event->data));
    CU_ASSERT_EQUAL(back.time_us, event->time_us);
    buf_fini(&out);
    arena_fini(&arena);
}

static void test_round_trip(void)
{
    CU_ASSERT_EQUAL(event_check(&whole), ERR_NONE);
    check_round_trip(&whole);
    struct event bare = whole;
    bare.traceparent = bare.tracestate = bare.request_id = bare.data = TEXT_NONE;
    CU_ASSERT_EQUAL(event_check(&bare), ERR_NONE);
    check_round_trip(&bare);
}

static void test_format(void)
{
    struct buf out;
    buf_init(&out, EVENT_MAX_BYTES);
    struct event event = whole;
    event.subject = TEXT("s");
    event.traceparent = event.tracestate = event.request_id = TEXT_NONE;
    event.data = TEXT("1");
    event_write(&event, &out);
    CU_ASSERT_STRING_EQUAL(buf_string(&out),
                           "{\"specversion\":\"1.0\",\"id\":\"0190b6a0-0000-7000-8000-000000000001\","
                           "\"type\":\"order.placed.v1\",\"source\":\"/tandem/order\",\"subject\":\"s\","
                           "\"time\":\"2026-09-21T14:13:20.123456Z\",\"datacontenttype\":\"application/json\","
                           "\"data\":1}");
    buf_fini(&out);
}

#define REQUIRED "\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\",\"subject\":\"x\"," \
                 "\"time\":\"2026-01-01T00:00:00Z\""

/* W3C: up to 512 characters are passed on; more of it, or what is none, is as if it had not come. */
static void test_tracestate(void)
{
    char json[2048], state[600];
    struct event event = whole, back;
    for (int length = 240; length <= 256; length++) {
        int total = snprintf(state, sizeof state, "a=%0254d,b=%0*d", 1, length, 2);
        bool fits = total <= TRACESTATE_MAX_BYTES;
        event.tracestate = text_of(state);
        CU_ASSERT_EQUAL(event_check(&event), fits ? ERR_NONE : ERR_INVALID);
        if (fits)
            check_round_trip(&event);
        snprintf(json, sizeof json, "{" REQUIRED ",\"tracestate\":\"%s\"}", state);
        CU_ASSERT_EQUAL_FATAL(read_string(json, &back), ERR_NONE);
        CU_ASSERT_EQUAL(back.tracestate.at != NULL, fits);
    }
    CU_ASSERT_EQUAL_FATAL(read_string("{" REQUIRED ",\"tracestate\":\"no state\"}", &back), ERR_NONE);
    CU_ASSERT_PTR_NULL(back.tracestate.at);
    arena_fini(&arena);
}

/* Where data stands, and what surrounds it, does not matter. */
static void test_data_as_it_stood(void)
{
    static const struct {
        const char *json;
        const char *data;
    } rows[] = {
        {"{" REQUIRED ",\"data\":{\"a\":[1,2,{}]}}", "{\"a\":[1,2,{}]}"},
        {" { \"data\" : 1.50 , " REQUIRED " } ", "1.50"},
        {"{" REQUIRED ",\"data\":null}", "null"},
        {"{" REQUIRED ",\"data\":\"with \\\" and } in it\"\n}", "\"with \\\" and } in it\""},
        {"{\"first\":{\"data\":1},\"second\":[\"data\",{}],\"data\":2," REQUIRED "}", "2"},
        {"{\"x\":\"\\\"data\\\":5\"," REQUIRED ",\"data\":[ ]}", "[ ]"},
        {"{\"\\\\\":\"\\\\\",\"data\":7," REQUIRED "}", "7"},
        {"{" REQUIRED "}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct event event;
        CU_ASSERT_EQUAL_FATAL(read_string(rows[i].json, &event), ERR_NONE);
        CU_ASSERT(same(event.data, text_of(rows[i].data)));
    }
    arena_fini(&arena);
}

static void test_malformed(void)
{
    static const char *const rows[] = {
        "", "[]", "null", "{", "{}",
        "{" REQUIRED ",\"id\":\"2\"}",
        "{" REQUIRED ",\"data\":NaN}",
        "{" REQUIRED ",\"data\":1} x",
        "{" REQUIRED ",\"data_base64\":\"AAAA\"}",
        "{" REQUIRED ",\"datacontenttype\":\"text/xml\",\"data\":\"<a/>\"}",
        "{\"specversion\":\"0.3\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\",\"subject\":\"x\","
        "\"time\":\"2026-01-01T00:00:00Z\"}",
        "{\"specversion\":\"1.0\",\"id\":\"\",\"type\":\"t\",\"source\":\"/s\",\"subject\":\"x\","
        "\"time\":\"2026-01-01T00:00:00Z\"}",
        "{\"specversion\":\"1.0\",\"id\":7,\"type\":\"t\",\"source\":\"/s\",\"subject\":\"x\","
        "\"time\":\"2026-01-01T00:00:00Z\"}",
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\",\"subject\":\"x\",\"time\":\"today\"}",
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\",\"time\":\"2026-01-01T00:00:00Z\"}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct event event = {.time_us = 42};
        CU_ASSERT_EQUAL(read_string(rows[i], &event), ERR_MALFORMED);
        CU_ASSERT_EQUAL(event.time_us, 42);
    }
    arena_fini(&arena);
}

/* An envelope as it is written is read in one look, and any other in the general way: a space before it makes it one.
 * Whatever happens to it, the two agree. */
static void check_both_ways(const char *json, size_t length)
{
    char *spaced = malloc(length + 1);
    struct arena other;
    struct event event = {.time_us = 42}, general = {.time_us = 42};
    arena_fini(&arena);
    arena_init(&arena, 1024 * 1024);
    arena_init(&other, 1024 * 1024);
    spaced[0] = ' ';
    memcpy(spaced + 1, json, length);
    enum err err = event_read((struct text){json, length}, &arena, &event);
    CU_ASSERT_EQUAL(err, event_read((struct text){spaced, length + 1}, &other, &general));
    CU_ASSERT(same(event.id, general.id) && same(event.type, general.type) && same(event.source, general.source));
    CU_ASSERT(same(event.subject, general.subject) && same(event.traceparent, general.traceparent));
    CU_ASSERT(same(event.tracestate, general.tracestate) && same(event.request_id, general.request_id));
    CU_ASSERT(same(event.data, general.data) && event.time_us == general.time_us);
    if (!err)
        CU_ASSERT(event.id.at[event.id.length] == '\0' && event.subject.at[event.subject.length] == '\0' &&
                  (!event.data.at || event.data.at[event.data.length] == '\0'));
    arena_fini(&other);
    free(spaced);
}

#define OWN "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\",\"source\":\"/s\",\"subject\":\"x\"," \
            "\"time\":\"2026-01-01T00:00:00Z\",\"datacontenttype\":\"application/json\",\"data\":"

static void test_both_ways_by_hand(void)
{
    static const char *const rows[] = {
        OWN "{}}", OWN " {} }", OWN "\t[1 ]\r\n}", OWN "}", OWN " }", OWN "1,\"id\":\"2\"}", OWN "{}}}", OWN "{}} ",
        OWN "\"\"}", OWN "{\"data\":2}}", OWN "1}\n", OWN "nul}", "{}", "{", "",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_both_ways(rows[i], strlen(rows[i]));
    arena_fini(&arena);
}

static void test_both_ways(void)
{
    static const char others[] = {'"', '\\', '{', '}', '[', ']', ',', ':', ' ', 'a', '1', 0x01, 0x7f, (char)0xc3, 0};
    struct event plain = whole, bare = whole;
    plain.subject = TEXT("order");
    plain.tracestate = TEXT("congo=t61rcWkgMzE,rojo@vendor=1");
    bare.subject = plain.subject;
    bare.traceparent = bare.tracestate = bare.request_id = bare.data = TEXT_NONE;
    const struct event *const events[] = {&whole, &plain, &bare};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct buf out;
        buf_init(&out, EVENT_MAX_BYTES);
        event_write(events[i], &out);
        CU_ASSERT_EQUAL_FATAL(buf_check(&out), ERR_NONE);
        for (size_t at = 0; at <= out.length; at++)
            check_both_ways(out.data, at);
        for (size_t at = 0; at < out.length; at++)
            for (size_t k = 0; k < sizeof others; k++) {
                char was = out.data[at];
                out.data[at] = others[k];
                check_both_ways(out.data, out.length);
                out.data[at] = was;
            }
        buf_fini(&out);
    }
    arena_fini(&arena);
}

static void test_arena_full(void)
{
    static const char json[] = "{" REQUIRED ",\"data\":\"0123456789012345678901234567890123456789\"}";
    struct event event;
    for (size_t max = 0; max < 24; max += 8) {
        arena_init(&arena, max);
        CU_ASSERT_EQUAL(event_read(text_of(json), &arena, &event), ERR_MEMORY);
        arena_fini(&arena);
    }
}

static char *filled(size_t length, char c)
{
    char *text = malloc(length + 1);
    memset(text, c, length);
    text[length] = '\0';
    return text;
}

static void test_check(void)
{
    struct event event = whole;
    struct text *const required[] = {&event.id, &event.type, &event.source, &event.subject};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        event = whole;
        *required[i] = TEXT_NONE;
        CU_ASSERT_EQUAL(event_check(&event), ERR_INVALID);
        *required[i] = TEXT("\xff");
        CU_ASSERT_EQUAL(event_check(&event), ERR_INVALID);
    }
    event = whole;
    event.data = TEXT("{\"a\":}");
    CU_ASSERT_EQUAL(event_check(&event), ERR_INVALID);
    event.data = TEXT("");
    CU_ASSERT_EQUAL(event_check(&event), ERR_INVALID);

    /* The largest of everything still is an envelope that can be read. */
    char *attribute = filled(EVENT_MAX_ATTRIBUTE_BYTES + 1, '\x01');
    char *data = filled(EVENT_MAX_BYTES - EVENT_ENVELOPE_BYTES + 1, '1');
    size_t data_length = strlen(data);
    data[0] = data[data_length - 2] = data[data_length - 1] = '"';
    event = whole;
    event.data = (struct text){data, data_length};
    CU_ASSERT_EQUAL(event_check(&event), ERR_INVALID);
    event.data.length--;
    CU_ASSERT_EQUAL(event_check(&event), ERR_NONE);
    event.id = event.type = event.source = event.subject = event.traceparent = event.request_id
        = (struct text){attribute, EVENT_MAX_ATTRIBUTE_BYTES};
    CU_ASSERT_EQUAL(event_check(&event), ERR_NONE);
    check_round_trip(&event);
    event.request_id.length++;
    CU_ASSERT_EQUAL(event_check(&event), ERR_INVALID);
    free(attribute);
    free(data);
}

static const struct suite_case cases[] = {
    {"what is written is read back", test_round_trip},
    {"the format is that of CloudEvents", test_format},
    {"a tracestate goes along, of bounded length", test_tracestate},
    {"data is kept as it stood", test_data_as_it_stood},
    {"what is no such envelope is refused", test_malformed},
    {"what is read in one look is read as all else is", test_both_ways},
    {"so is what could be taken for that", test_both_ways_by_hand},
    {"an arena that is full is told", test_arena_full},
    {"what could not be read is not sent", test_check},
};

int main(void)
{
    return suite_main("event", cases, sizeof cases / sizeof cases[0]);
}
