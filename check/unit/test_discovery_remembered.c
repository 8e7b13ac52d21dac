/* The file of instances known last: what was written is read; what is damaged anywhere, another's or too old is not. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "discovery/remembered.h"

enum { NOW_S = 1800000000, AGE_MAX_S = 3600, CONTENT_MAX = 8192 };

static char *folder;
static char path[256];

static void begin(void)
{
    folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(path, sizeof path, "%s/order.db-instances-user", folder);
}

static void end(void)
{
    process_remove(folder);
    free(folder);
}

static struct instances *some(void)
{
    static const char *const written[] = {
        "http://10.0.0.7:8080",
        "http://[fd00::7]:8080;weight=50;zone=eu-1;version=1.4=beta;id=7f3a",
        "fcgi:/run/tandem/user.sock",
    };
    enum { COUNT = sizeof written / sizeof written[0] };
    struct instance list[COUNT];
    struct instances *instances;
    for (size_t i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL_FATAL(instance_read(text_of(written[i]), &list[i]), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(instances_new(list, COUNT, &instances), ERR_NONE);
    return instances;
}

static void write_some(void)
{
    struct instances *instances = some();
    CU_ASSERT_EQUAL_FATAL(remembered_write(path, "user", instances, NOW_S), ERR_NONE);
    instances_unref(instances);
}

static enum err read_at(int64_t now_s)
{
    struct instances *instances = NULL;
    int64_t age_s;
    enum err err = remembered_read(path, "user", now_s, AGE_MAX_S, &instances, &age_s);
    instances_unref(instances);
    return err;
}

static size_t load(char out[static CONTENT_MAX])
{
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t length = fread(out, 1, CONTENT_MAX, file);
    fclose(file);
    return length;
}

static void store(const char *content, size_t length)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(content, 1, length, file), length);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void test_read_back(void)
{
    struct instances *instances = some(), *got = NULL;
    int64_t age_s = 0;
    begin();
    CU_ASSERT_EQUAL(read_at(NOW_S), ERR_NOT_FOUND);
    write_some();
    CU_ASSERT_EQUAL_FATAL(remembered_read(path, "user", NOW_S + 60, AGE_MAX_S, &got, &age_s), ERR_NONE);
    CU_ASSERT_EQUAL(age_s, 60);
    CU_ASSERT(instances_equal(got, instances));
    instances_unref(got);
    instances->count = 0;
    CU_ASSERT_EQUAL(remembered_write(path, "user", instances, NOW_S), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(remembered_read(path, "user", NOW_S, AGE_MAX_S, &got, &age_s), ERR_NONE);
    CU_ASSERT_EQUAL(got->count, 0);
    instances_unref(got);
    instances_unref(instances);
    end();
}

/* Each byte in turn is another one, and the file is cut off after each. */
static void test_damaged(void)
{
    char content[CONTENT_MAX];
    begin();
    write_some();
    size_t length = load(content), taken = 0;
    for (size_t i = 0; i < length; i++) {
        content[i] ^= 1;
        store(content, length);
        taken += read_at(NOW_S) != ERR_MALFORMED;
        content[i] ^= 1;
        store(content, i);
        taken += read_at(NOW_S) != ERR_MALFORMED;
    }
    CU_ASSERT(length > 100);
    CU_ASSERT_EQUAL(taken, 0);
    store(content, length);
    CU_ASSERT_EQUAL(read_at(NOW_S), ERR_NONE);
    end();
}

static void test_age(void)
{
    begin();
    write_some();
    CU_ASSERT_EQUAL(read_at(NOW_S + AGE_MAX_S), ERR_NONE);
    CU_ASSERT_EQUAL(read_at(NOW_S + AGE_MAX_S + 1), ERR_INVALID);
    CU_ASSERT_EQUAL(read_at(NOW_S - REMEMBERED_AHEAD_MAX_S), ERR_NONE);
    CU_ASSERT_EQUAL(read_at(NOW_S - REMEMBERED_AHEAD_MAX_S - 1), ERR_INVALID);
    end();
}

static void test_others(void)
{
    struct instances *got;
    int64_t age_s;
    begin();
    write_some();
    CU_ASSERT_EQUAL(remembered_read(path, "order", NOW_S, AGE_MAX_S, &got, &age_s), ERR_MALFORMED);
    unlink(path);
    CU_ASSERT_EQUAL(truncate(path, 0), -1);
    store("", 0);
    CU_ASSERT_EQUAL(truncate(path, REMEMBERED_MAX_BYTES + 1), 0);
    CU_ASSERT_EQUAL(read_at(NOW_S), ERR_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "larger than it can be"));
    end();
}

/* What was there stays whole. */
static void test_cannot_write(void)
{
    struct instances *instances = some();
    char elsewhere[512];
    begin();
    snprintf(elsewhere, sizeof elsewhere, "%s/nowhere/file", folder);
    CU_ASSERT_EQUAL(remembered_write(elsewhere, "user", instances, NOW_S), ERR_IO);
    snprintf(elsewhere, sizeof elsewhere, "%s/taken", folder);
    CU_ASSERT_EQUAL_FATAL(mkdir(elsewhere, 0700), 0);
    CU_ASSERT_EQUAL(remembered_write(elsewhere, "user", instances, NOW_S), ERR_IO);
    snprintf(elsewhere, sizeof elsewhere, "%s/taken.%ld", folder, (long)getpid());
    CU_ASSERT_NOT_EQUAL(access(elsewhere, F_OK), 0);
    instances_unref(instances);
    end();
}

static const struct suite_case cases[] = {
    {"what was written is read, with its age", test_read_back},
    {"what is damaged anywhere, or cut off, is not used", test_damaged},
    {"what is too old, or from the future, is not used", test_age},
    {"another service's, and what is too large, is not used", test_others},
    {"a failure to write leaves nothing behind", test_cannot_write},
};

int main(void)
{
    return suite_main("remembered instances", cases, sizeof cases / sizeof cases[0]);
}
