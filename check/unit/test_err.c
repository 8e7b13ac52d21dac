#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "check/harness/suite.h"

static const enum err all[] = {
#define ERR_VALUE(name, status, text) name,
    ERR_TABLE(ERR_VALUE)
#undef ERR_VALUE
};

enum { ALL = sizeof all / sizeof all[0] };

static void test_rows(void)
{
    CU_ASSERT_EQUAL(ERR_NONE, 0);
    CU_ASSERT_STRING_EQUAL(err_name(ERR_NOT_FOUND), "ERR_NOT_FOUND");
    CU_ASSERT_EQUAL(err_status(ERR_NOT_FOUND), 404);
    CU_ASSERT_EQUAL(err_status(ERR_INVALID), 422);
    CU_ASSERT_EQUAL(err_status(ERR_STORAGE_FULL), 507);
    for (size_t i = 0; i < ALL; i++) {
        CU_ASSERT_EQUAL((size_t)all[i], i);
        CU_ASSERT_EQUAL(strncmp(err_name(all[i]), "ERR_", 4), 0);
        CU_ASSERT(err_status(all[i]) >= 200 && err_status(all[i]) <= 599);
        CU_ASSERT(err_status(all[i]) >= 400 || all[i] == ERR_NONE);
        const char *text = err_text(all[i]);
        CU_ASSERT_FATAL(*text != '\0');
        CU_ASSERT_NOT_EQUAL(text[strlen(text) - 1], '.');
    }
}

static void test_cause(void)
{
    err_clear();
    CU_ASSERT_STRING_EQUAL(err_cause(), "");
    CU_ASSERT_EQUAL(err_because(ERR_IO, "open %s: %d", "/x", 7), ERR_IO);
    CU_ASSERT_STRING_EQUAL(err_cause(), "open /x: 7");
    err_clear();
    CU_ASSERT_STRING_EQUAL(err_cause(), "");
}

static void test_cause_of_cause(void)
{
    (void)err_because(ERR_IO, "disk on fire");
    (void)err_because(ERR_STORAGE, "commit: %s", err_cause());
    CU_ASSERT_STRING_EQUAL(err_cause(), "commit: disk on fire");
}

static void test_cut(void)
{
    char line[1000];

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    (void)err_because(ERR_IO, "%s", line);
    CU_ASSERT_EQUAL(strlen(err_cause()), 511);
    line[511] = '\0';
    CU_ASSERT_STRING_EQUAL(err_cause(), line);
}

static void test_errno_stays(void)
{
    errno = EACCES;
    (void)err_because(ERR_IO, "%s", strerror(errno));
    CU_ASSERT_EQUAL(errno, EACCES);
}

static void *set_other_cause(void *found_empty)
{
    *(bool *)found_empty = *err_cause() == '\0';
    (void)err_because(ERR_IO, "of the other thread");
    return NULL;
}

static void test_threads(void)
{
    pthread_t thread;
    bool found_empty = false;

    (void)err_because(ERR_IO, "of this thread");
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, set_other_cause, &found_empty), 0);
    pthread_join(thread, NULL);
    CU_ASSERT(found_empty);
    CU_ASSERT_STRING_EQUAL(err_cause(), "of this thread");
}

static const struct suite_case cases[] = {
    {"every code has a name, a status and a sentence", test_rows},
    {"the cause is kept until it is forgotten", test_cause},
    {"a cause may quote the one before", test_cause_of_cause},
    {"a long cause is cut at 511 bytes", test_cut},
    {"giving a cause leaves errno alone", test_errno_stays},
    {"each thread has a cause of its own", test_threads},
};

int main(void)
{
    return suite_main("err", cases, sizeof cases / sizeof cases[0]);
}
