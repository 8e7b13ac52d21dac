/* The parts of the bus on RabbitMQ that need no broker. The rest is in check/service/test_bus_amqp.c. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check/harness/suite.h"
#include "events/bus_amqp_held.h"
#include "events/bus_amqp_message.h"
#include "events/bus_amqp_settings.h"
#include "events/bus_amqp_topology.h"

/* These are for good: a subject that fell to another queue would come out of order. */
static void test_hash(void)
{
    static const struct {
        const char *subject;
        unsigned queues, queue;
    } known[] = {{"", 4, 1}, {"a", 4, 0}, {"foobar", 4, 0}, {"foobar", 256, 232}, {"foobar", 1, 0},
                 {"0190b5a0-0000-7000-8000-000000000001", 7, 1}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        CU_ASSERT_EQUAL(bus_amqp_queue_of(text_of(known[i].subject), known[i].queues), known[i].queue);
}

static void test_spread(void)
{
    enum { SUBJECTS = 4000, QUEUES = 4 };
    unsigned counts[QUEUES] = {0};
    for (int i = 0; i < SUBJECTS; i++) {
        char subject[32];
        snprintf(subject, sizeof subject, "order-%d", i);
        counts[bus_amqp_queue_of(text_of(subject), QUEUES)]++;
    }
    for (int i = 0; i < QUEUES; i++)
        CU_ASSERT(counts[i] > SUBJECTS / QUEUES * 8 / 10 && counts[i] < SUBJECTS / QUEUES * 12 / 10);
}

static void test_settings(void)
{
    const struct bus_opts opts = {.url = "", .prefix = "tandem", .groups = "one,, two ", .queues = 4, .prefetch = 10};
    struct bus_amqp_settings settings;
    CU_ASSERT_EQUAL_FATAL(bus_amqp_settings_init(&settings, &opts, "//a%40b@one:1,two,[::1]:3,[fe80::2]/v%2Fh", false),
                          ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings.user, "a@b");
    CU_ASSERT_STRING_EQUAL(settings.vhost, "v/h");
    CU_ASSERT_EQUAL_FATAL(settings.host_count, 4);
    CU_ASSERT_STRING_EQUAL(settings.hosts[0].name, "one");
    CU_ASSERT_EQUAL(settings.hosts[0].port, 1);
    CU_ASSERT_EQUAL(settings.hosts[1].port, 5672);
    CU_ASSERT_STRING_EQUAL(settings.hosts[2].name, "::1");
    CU_ASSERT_EQUAL(settings.hosts[2].port, 3);
    CU_ASSERT_STRING_EQUAL(settings.hosts[3].name, "fe80::2");
    CU_ASSERT_EQUAL_FATAL(settings.group_count, 2);
    CU_ASSERT_STRING_EQUAL(settings.groups[1], "two");
    bus_amqp_settings_fini(&settings);

    CU_ASSERT_EQUAL_FATAL(bus_amqp_settings_init(&settings, &opts, "//host", true), ERR_NONE);
    CU_ASSERT_STRING_EQUAL(settings.user, "guest");
    CU_ASSERT_STRING_EQUAL(settings.vhost, "/");
    CU_ASSERT_EQUAL(settings.hosts[0].port, 5671);
    bus_amqp_settings_fini(&settings);
}

/* ---- what is held ---- */

static struct bus_amqp_held held;

static void hold(uint64_t tag, bool is_wanted)
{
    static char body[] = "body";
    const amqp_envelope_t envelope = {.delivery_tag = tag, .message.body = {sizeof body - 1, body}};
    CU_ASSERT_FATAL(bus_amqp_held_has_room(&held));
    CU_ASSERT_EQUAL(bus_amqp_held_add(&held, &envelope, is_wanted, false), ERR_NONE);
}

/* The tags of what is delivered from here on are these, up to 0. */
static void expect_tags(const uint64_t *tags)
{
    for (; *tags; tags++) {
        const struct bus_amqp_message *next = bus_amqp_held_next(&held);
        CU_ASSERT_PTR_NOT_NULL_FATAL(next);
        CU_ASSERT_EQUAL(next->tag, *tags);
        bus_amqp_held_pass(&held);
    }
    CU_ASSERT_PTR_NULL(bus_amqp_held_next(&held));
}

static void test_held(void)
{
    CU_ASSERT_EQUAL_FATAL(bus_amqp_held_init(&held, 6), ERR_NONE);
    CU_ASSERT_PTR_NULL(bus_amqp_held_next(&held));
    CU_ASSERT_EQUAL(bus_amqp_held_drop(&held, 100), 0);
    hold(1, true);
    hold(2, false);
    hold(3, true);
    hold(4, false);
    CU_ASSERT_EQUAL(held.count, 2);
    expect_tags((const uint64_t[]){1, 3, 0});
    bus_amqp_held_rewind(&held);
    expect_tags((const uint64_t[]){1, 3, 0});
    CU_ASSERT_EQUAL(bus_amqp_held_drop(&held, 0), 0);
    CU_ASSERT_EQUAL(bus_amqp_held_drop(&held, 1), 2);   /* with what nobody wants behind it */
    hold(5, true);
    hold(6, false);
    hold(7, true);
    hold(8, true);
    CU_ASSERT_FALSE(bus_amqp_held_has_room(&held));
    expect_tags((const uint64_t[]){5, 7, 8, 0});
    bus_amqp_held_rewind(&held);
    expect_tags((const uint64_t[]){3, 5, 7, 8, 0});
    CU_ASSERT_EQUAL(bus_amqp_held_drop(&held, 5), 6);
    bus_amqp_held_clear(&held);
    CU_ASSERT_EQUAL(held.count, 0);
    CU_ASSERT_EQUAL(held.bytes, 0);
    hold(1, true);                                      /* on another connection */
    CU_ASSERT_EQUAL(bus_amqp_held_next(&held)->offset, 9);
    CU_ASSERT_EQUAL(bus_amqp_held_drop(&held, 8), 0);   /* of the one before */
    CU_ASSERT_EQUAL(bus_amqp_held_drop(&held, 9), 1);
    bus_amqp_held_fini(&held);
}

/* ---- messages ---- */

static void test_types(void)
{
    static const char *const types[] = {"a.v", "b.v1", NULL};
    CU_ASSERT(bus_amqp_is_of(TEXT("a.v1"), types));
    CU_ASSERT(bus_amqp_is_of(TEXT("a.v22"), types));
    CU_ASSERT(bus_amqp_is_of(TEXT("b.v1"), types));
    CU_ASSERT_FALSE(bus_amqp_is_of(TEXT("b.v2"), types));
    CU_ASSERT_FALSE(bus_amqp_is_of(TEXT("a.vx"), types));
    CU_ASSERT_FALSE(bus_amqp_is_of(TEXT("aa.v1"), types));
    CU_ASSERT_FALSE(bus_amqp_is_of(TEXT(""), types));
}

static void test_unreadable(void)
{
    static char large[64 * 1024];
    const struct text bodies[] = {TEXT("{"), TEXT(""), TEXT("\xff\xfe"), {large, sizeof large}};
    struct arena arena;
    struct event first, again;
    memset(large, '\xc3', sizeof large);
    for (size_t i = 0; i + 1 < sizeof large; i += 2)
        large[i + 1] = '\xa9';
    arena_init(&arena, 1024 * 1024);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        CU_ASSERT_EQUAL_FATAL(bus_amqp_unreadable(bodies[i], &arena, &first), ERR_NONE);
        CU_ASSERT_EQUAL_FATAL(bus_amqp_unreadable(bodies[i], &arena, &again), ERR_NONE);
        CU_ASSERT_EQUAL(event_check(&first), ERR_NONE);
        CU_ASSERT(text_equal(first.id, again.id));
    }
    arena_fini(&arena);
    arena_init(&arena, 8);
    CU_ASSERT_EQUAL(bus_amqp_unreadable(bodies[0], &arena, &first), ERR_MEMORY);
    arena_fini(&arena);
}

static const struct suite_case cases[] = {
    {"a subject falls to the queue it always fell to", test_hash},
    {"subjects are spread evenly", test_spread},
    {"an URL has user, hosts and vhost", test_settings},
    {"what is held is delivered in order, again after a rewind, and dropped up to an offset", test_held},
    {"a type is told from others, versions included", test_types},
    {"what cannot be read is an event that can be set aside", test_unreadable},
};

int main(void)
{
    return suite_main("bus_amqp", cases, sizeof cases / sizeof cases[0]);
}
