/* Instances: written, read, refused, and in sets. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "check/harness/suite.h"
#include "net/instances.h"

static struct instance read_well(const char *text)
{
    struct instance instance = {.port = 0};
    enum err err = instance_read(text_of(text), &instance);
    if (err)
        printf("# %s: %s\n", text, err_cause());
    CU_ASSERT_EQUAL(err, ERR_NONE);
    return instance;
}

static void test_written(void)
{
    static const char *const urls[] = {"http://10.0.0.7:8080", "https://eu.example.org:443", "http://[fd00::7]:80",
                                       "fcgi://127.0.0.1:9001", "fcgi:/run/tandem/user.sock"};
    char url[INSTANCE_URL_SIZE];
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct instance instance = read_well(urls[i]);
        CU_ASSERT_STRING_EQUAL(instance_url(&instance, url), urls[i]);
        CU_ASSERT_STRING_EQUAL(instance.id, urls[i]);
        CU_ASSERT_EQUAL(instance.weight, INSTANCE_WEIGHT);
    }
    struct instance all = read_well("http://10.0.0.7:8080;weight=50;zone=eu-1;version=1.4;id=7f3a");
    CU_ASSERT_EQUAL(all.weight, 50);
    CU_ASSERT_STRING_EQUAL(all.zone, "eu-1");
    CU_ASSERT_STRING_EQUAL(all.version, "1.4");
    CU_ASSERT_STRING_EQUAL(all.id, "7f3a");
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "", "10.0.0.7:8080", "ftp://10.0.0.7:21", "http://10.0.0.7", "http://:80", "http://10.0.0.7:0",
        "http://10.0.0.7:65536", "http://10.0.0.7:80/path", "http://user@10.0.0.7:80", "http:/run/user.sock",
        "fcgi:user.sock", "http://[fd00::7]", "http://10.0.0.7:80;weight=0", "http://10.0.0.7:80;weight=x",
        "http://10.0.0.7:80;colour=red", "http://10.0.0.7:80;zone", "http://a b:80", "http://a\";}evil:80",
        "http://10.0.0.7:80;id=", "fcgi:/run/;id=$x",
    };
    struct instance instance;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (instance_read(text_of(bad[i]), &instance) == ERR_NONE)
            printf("# taken: %s\n", bad[i]);
        CU_ASSERT_EQUAL(instance_read(text_of(bad[i]), &instance), ERR_INVALID);
    }
    char path[200] = "fcgi:/";
    memset(path + strlen(path), 'x', 110);
    CU_ASSERT_EQUAL(instance_read(text_of(path), &instance), ERR_INVALID);
}

static void test_sets(void)
{
    struct instance list[] = {read_well("http://b:1;id=b"), read_well("http://a:1;id=a"), read_well("http://c:1;id=b")};
    struct instances *set = NULL, *same = NULL, *other = NULL;
    CU_ASSERT_EQUAL_FATAL(instances_new(list, 3, &set), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(set->count, 2);
    CU_ASSERT_STRING_EQUAL(set->list[0].id, "a");
    CU_ASSERT_STRING_EQUAL(set->list[1].address, "b");
    CU_ASSERT_EQUAL_FATAL(instances_new(list, 2, &same), ERR_NONE);
    CU_ASSERT(instances_equal(set, same));
    list[0].weight = 1;
    CU_ASSERT_EQUAL_FATAL(instances_new(list, 2, &other), ERR_NONE);
    CU_ASSERT(!instances_equal(set, other));
    CU_ASSERT(!instances_equal(NULL, other));
    CU_ASSERT(instances_equal(NULL, NULL));
    instances_unref(instances_ref(set));
    CU_ASSERT_EQUAL(set->count, 2);
    instances_unref(set);
    instances_unref(same);
    instances_unref(other);
}

static void test_bounded(void)
{
    struct instance *list = calloc(INSTANCES_MAX + 10, sizeof list[0]);
    struct instances *set = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    for (int i = 0; i < INSTANCES_MAX + 10; i++) {
        list[i] = read_well("http://a:1");
        snprintf(list[i].id, sizeof list[i].id, "%d", i);
    }
    CU_ASSERT_EQUAL_FATAL(instances_new(list, INSTANCES_MAX + 10, &set), ERR_NONE);
    CU_ASSERT_EQUAL(set->count, INSTANCES_MAX);
    instances_unref(set);
    free(list);
}

static const struct suite_case cases[] = {
    {"an instance is written as a URL and notes, and read back", test_written},
    {"what is no instance is refused", test_refused},
    {"a set is by id, has no id twice, and lives as long as somebody reads it", test_sets},
    {"a set is bounded", test_bounded},
};

int main(void)
{
    return suite_main("instances", cases, sizeof cases / sizeof cases[0]);
}
