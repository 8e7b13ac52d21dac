/* Snapshots of settings under use: whoever takes one sees one, whole, whatever is put in place meanwhile. */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "check/harness/suite.h"
#include "conf/current.h"

enum { READERS = 4, SWAPS = 500, FAULTS_BYTES = 4096 };

/* Settings whose two values are the same number. */
static struct settings *make(int number)
{
    char least[64], most[64];
    const char *const overrides[] = {least, most};
    struct settings_opts opts = {.overrides = overrides, .override_count = 2};
    struct settings *settings = NULL;
    struct buf faults;
    snprintf(least, sizeof least, "page.limit_default=%d", number);
    snprintf(most, sizeof most, "page.limit_max=%d", number);
    buf_init(&faults, FAULTS_BYTES);
    CU_ASSERT_EQUAL_FATAL(settings_load(&opts, &faults, &settings), ERR_NONE);
    buf_fini(&faults);
    return settings;
}

static void test_take(void)
{
    struct current current;
    struct settings *first = make(1);
    current_init(&current, first);
    settings_unref(first);
    struct settings *taken = current_take(&current);
    CU_ASSERT_PTR_EQUAL(taken, first);
    current_put(&current, make(2));
    CU_ASSERT_EQUAL(settings_int(taken, OPTION_PAGE_LIMIT_MAX), 1);
    struct settings *second = current_take(&current);
    CU_ASSERT_EQUAL(settings_int(second, OPTION_PAGE_LIMIT_MAX), 2);
    settings_unref(taken);
    current_fini(&current);
    CU_ASSERT_EQUAL(settings_int(second, OPTION_PAGE_LIMIT_MAX), 2);
    settings_unref(second);
}

struct race {
    struct current current;
    atomic_bool ended;
    atomic_uint torn, backwards, takes;
};

static void *read_all(void *context)
{
    struct race *race = context;
    int64_t latest = 0;
    while (!atomic_load(&race->ended)) {
        struct settings *settings = current_take(&race->current);
        int64_t number = settings_int(settings, OPTION_PAGE_LIMIT_MAX);
        if (settings_int(settings, OPTION_PAGE_LIMIT_DEFAULT) != number)
            atomic_fetch_add(&race->torn, 1);
        if (number < latest)
            atomic_fetch_add(&race->backwards, 1);
        latest = number;
        settings_unref(settings);
        atomic_fetch_add(&race->takes, 1);
    }
    return NULL;
}

static void test_race(void)
{
    struct race race = {.ended = false};
    pthread_t readers[READERS];
    struct settings *first = make(1);
    current_init(&race.current, first);
    settings_unref(first);
    for (int i = 0; i < READERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&readers[i], NULL, read_all, &race), 0);
    for (int i = 2; i < SWAPS || atomic_load(&race.takes) < SWAPS; i++)
        current_put(&race.current, make(i < 10000 ? i : 10000));
    atomic_store(&race.ended, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    CU_ASSERT_EQUAL(atomic_load(&race.torn), 0);
    CU_ASSERT_EQUAL(atomic_load(&race.backwards), 0);
    current_fini(&race.current);
}

static const struct suite_case cases[] = {
    {"what was taken stays as it is", test_take},
    {"readers see whole settings, and never older ones again", test_race},
};

int main(void)
{
    return suite_main("current", cases, sizeof cases / sizeof cases[0]);
}
