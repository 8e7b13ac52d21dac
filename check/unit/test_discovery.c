/* What discovery does whoever the driver is, and the driver "static". */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "discovery/discovery.h"

enum { WAIT_MS = 5000 };

static struct discovery *discovery;
static struct discovery_watch *watch;
static atomic_uint changes;

static void changed(void *context, struct instances *instances)
{
    (void)context;
    (void)instances;
    atomic_fetch_add(&changes, 1);
}

static void begin(const char *endpoints)
{
    const struct discovery_opts opts = {
        .driver = "static", .endpoints = endpoints, .retry_first_ms = 1, .retry_max_ms = 2, .empty_after_ms = 60000};
    changes = 0;
    CU_ASSERT_EQUAL_FATAL(discovery_open(&opts, &discovery), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(discovery_watch(discovery, "user", changed, NULL, &watch), ERR_NONE);
    CU_ASSERT(discovery_wait(watch, WAIT_MS));
}

static void end(void)
{
    discovery_close(discovery);
}

static const char *ids(void)
{
    static char out[512];
    struct instances *instances = discovery_take(watch);
    int length = 0;
    out[0] = '\0';
    for (size_t i = 0; instances && i < instances->count; i++)
        length += snprintf(out + length, sizeof out - (size_t)length, "%s%s", i ? " " : "", instances->list[i].id);
    instances_unref(instances);
    return out;
}

static bool are(void *context)
{
    return strcmp(ids(), context) == 0;
}

static void become(const char *expected)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", expected);
    if (!process_until(are, copy, WAIT_MS))
        printf("# they are \"%s\", not \"%s\"\n", ids(), expected);
    CU_ASSERT_STRING_EQUAL(ids(), expected);
}

static void test_settings(void)
{
    begin("user=http://a:1;id=a  order=http://x:1;id=x user=http://b:1;id=b;zone=z");
    CU_ASSERT_STRING_EQUAL(ids(), "a b");
    CU_ASSERT_EQUAL(changes, 1);
    CU_ASSERT_EQUAL(discovery_reload(discovery, "user=http://b:1;id=b;zone=z user=http://c:1;id=c"), ERR_NONE);
    become("b c");
    CU_ASSERT_EQUAL(discovery_reload(discovery, ""), ERR_NONE);
    become("");
    CU_ASSERT_EQUAL(changes, 3);
    end();
}

static void test_bad_settings(void)
{
    static const char *const bad[] = {"user", "=http://a:1", "user=a:1", "user=http://a:1;weight=0",
                                      "user=http://a:1 b"};
    begin("user=http://a:1;id=a");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct discovery_opts opts = {.driver = "static", .endpoints = bad[i]};
        struct discovery *other;
        CU_ASSERT_EQUAL(discovery_check_endpoints(bad[i]), ERR_CONFIG);
        CU_ASSERT_EQUAL(discovery_open(&opts, &other), ERR_CONFIG);
        CU_ASSERT_EQUAL(discovery_reload(discovery, bad[i]), ERR_CONFIG);
    }
    CU_ASSERT_STRING_EQUAL(ids(), "a");
    end();
}

static void test_readers(void)
{
    begin("user=http://a:1;id=a");
    struct instances *kept = discovery_take(watch);
    CU_ASSERT_EQUAL(discovery_reload(discovery, "user=http://b:1;id=b"), ERR_NONE);
    become("b");
    CU_ASSERT_STRING_EQUAL(kept->list[0].id, "a");
    end();
    CU_ASSERT_STRING_EQUAL(kept->list[0].id, "a");
    instances_unref(kept);
}

static void test_unwatched(void)
{
    struct discovery_watch *other = NULL;
    begin("user=http://a:1;id=a order=http://b:1;id=b");
    CU_ASSERT_EQUAL(discovery_watch(discovery, "order", NULL, NULL, &other), ERR_NONE);
    CU_ASSERT(discovery_wait(other, WAIT_MS));
    discovery_unwatch(other);
    CU_ASSERT_EQUAL(discovery_watch(discovery, "No Name", NULL, NULL, &other), ERR_INVALID);
    CU_ASSERT_EQUAL(discovery_watch(discovery, "", NULL, NULL, &other), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(ids(), "a");
    end();
}

static void test_nothing_registered(void)
{
    struct instance own;
    begin("");
    CU_ASSERT_EQUAL(instance_read(TEXT("http://a:1"), &own), ERR_NONE);
    CU_ASSERT_EQUAL(discovery_register(discovery, "user", &own, 1), ERR_NONE);
    CU_ASSERT(!discovery_is_registered(discovery));
    discovery_tell_health(discovery);
    CU_ASSERT_EQUAL(discovery_deregister(discovery, 0), ERR_NONE);
    end();
    discovery_close(NULL);
}

static void test_unknown_driver(void)
{
    const struct discovery_opts opts = {.driver = "carrier-pigeon"};
    CU_ASSERT_EQUAL(discovery_open(&opts, &discovery), ERR_CONFIG);
}

static const struct suite_case cases[] = {
    {"the settings say who there is, and others take effect at once", test_settings},
    {"a fault in the settings leaves them as they were", test_bad_settings},
    {"a set that was taken stays as it is, whatever comes", test_readers},
    {"a watch can end by itself, and has a name", test_unwatched},
    {"with static nothing is registered", test_nothing_registered},
    {"there is no other way than those there are", test_unknown_driver},
};

int main(void)
{
    return suite_main("discovery", cases, sizeof cases / sizeof cases[0]);
}
