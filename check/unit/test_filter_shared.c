/* One filter that many have: threads, processes, and those that are killed. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache/filter.h"
#include "check/harness/suite.h"
#include "check/unit/filter_fixture.h"
#include "check/unit/scratch.h"

enum { KEYS_MAX = 20000, SMALL = 100, THREADS = 3, ROUNDS = 3000, MADE_UP = 1u << 30 };

/* ---- many at once ---- */

static atomic_bool over;
static atomic_uint made;

struct looker {
    pthread_t thread;
    unsigned wrong, filtered;
};

/* What has been told is never lacking, while halves are made anew under those who look. */
static void *look(void *context)
{
    struct looker *looker = context;
    while (!atomic_load(&over)) {
        unsigned there = atomic_load(&made);
        looker->wrong += fixture_lacks(there - 1) + fixture_lacks(there / 2);
        looker->filtered += fixture_lacks(MADE_UP + there);
    }
    return NULL;
}

static void *keep_making(void *context)
{
    (void)context;
    while (!atomic_load(&over) && atomic_load(&made) < KEYS_MAX / 40) {
        fixture_make(atomic_load(&made));
        atomic_fetch_add(&made, 1);
    }
    return NULL;
}

static void test_at_once(void)
{
    struct looker lookers[THREADS] = {{.wrong = 0}};
    pthread_t maker;
    unsigned wrong = 0, filtered = 0;
    fixture_begin(KEYS_MAX / 20, SMALL);
    atomic_store(&over, false);
    atomic_store(&made, SMALL);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&maker, NULL, keep_making, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&lookers[i].thread, NULL, look, &lookers[i]), 0);
    for (unsigned i = 0; i < ROUNDS; i++)
        fixture_refresh(fixture.filter, 1, i % 8 ? 1 : FIXTURE_ABSENT_NS);
    atomic_store(&over, true);
    pthread_join(maker, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(lookers[i].thread, NULL);
        wrong += lookers[i].wrong;
        filtered += lookers[i].filtered;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(filtered > 0);
    fixture_end();
}

/* ---- several processes ---- */

static void test_shared(void)
{
    struct scratch scratch;
    scratch_init(&scratch);
    filter_source_init(&fixture.source, SMALL);
    fixture.filter = fixture_open(scratch_path(&scratch, "x-filter"), KEYS_MAX);
    struct filter *other = fixture_open(scratch.path, SMALL / 2);      /* it has the room that the first has made */
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    CU_ASSERT_TRUE(fixture_lacks_in(other, MADE_UP));
    CU_ASSERT_FALSE(fixture_lacks_in(other, 1));
    CU_ASSERT_EQUAL(fixture_refresh(other, FIXTURE_ABSENT_NS, 0), FILTER_IDLE);
    fixture_add(other, MADE_UP);
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
    filter_distrust(other);
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP + 1));
    filter_close(fixture.filter);
    CU_ASSERT_EQUAL(fixture_refresh(other, FIXTURE_ABSENT_NS, 0), FILTER_REBUILT);
    filter_close(other);
    fixture.filter = fixture_open(scratch.path, SMALL / 2);            /* nothing is left of them */
    CU_ASSERT_FALSE(fixture_lacks(MADE_UP));
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0), FILTER_FULL);
    fixture_end();
    scratch_fini(&scratch);
}

/* Another process, which makes a thing, begins to list all, and is killed in the middle of that. */
static pid_t start_lister(const char *path, int told)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    filter_source_add(&fixture.source, clock_wall_us(), SMALL);           /* and has not added it */
    struct filter *own = NULL;
    const struct filter_opts opts = {.name = "test", .path = path, .keys_max = KEYS_MAX};
    fixture.source.told_fd = told;
    const struct filter_refresh refresh = {
        .list = filter_source_list, .context = &fixture.source, .absent_ns = 1, .rebuild_ns = 1};
    if (!filter_open(&opts, &own) && !filter_refresh(own, &refresh, NULL))
        _exit(EXIT_SUCCESS);
    _exit(EXIT_FAILURE);
}

static void test_killed(void)
{
    struct scratch scratch;
    int told[2];
    char byte;
    scratch_init(&scratch);
    filter_source_init(&fixture.source, SMALL);
    fixture.filter = fixture_open(scratch_path(&scratch, "x-filter"), KEYS_MAX);
    fixture_refresh(fixture.filter, FIXTURE_ABSENT_NS, 0);
    CU_ASSERT_EQUAL_FATAL(pipe(told), 0);
    pid_t pid = start_lister(scratch.path, told[1]);
    CU_ASSERT_EQUAL(read(told[0], &byte, 1), 1);
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_IDLE);      /* it is at it */
    CU_ASSERT_FALSE(fixture_lacks(1));
    CU_ASSERT_TRUE(fixture_lacks(SMALL));
    kill(pid, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
    CU_ASSERT_FALSE(fixture_lacks(1));
    CU_ASSERT_TRUE(fixture_lacks(SMALL));                                     /* nobody was told of it */
    filter_source_add(&fixture.source, clock_wall_us(), SMALL);               /* what the killed one had committed */
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 0), FILTER_REFRESHED);
    CU_ASSERT_FALSE(fixture_lacks(SMALL));
    CU_ASSERT_EQUAL(fixture_refresh(fixture.filter, 1, 1), FILTER_REBUILT);
    CU_ASSERT_FALSE(fixture_lacks(1));
    CU_ASSERT_TRUE(fixture_lacks(MADE_UP));
    close(told[0]);
    close(told[1]);
    fixture_end();
    scratch_fini(&scratch);
}

static void test_no_file(void)
{
    struct scratch scratch;
    struct filter *none = NULL;
    scratch_init(&scratch);
    struct filter_opts opts = {.name = "test", .path = scratch_path(&scratch, "no/such"), .keys_max = SMALL};
    CU_ASSERT_EQUAL(filter_open(&opts, &none), ERR_STORAGE);
    opts.path = scratch_path(&scratch, "x-filter");
    fixture.filter = fixture_open(opts.path, KEYS_MAX);
    CU_ASSERT_EQUAL_FATAL(truncate(opts.path, 100), 0);           /* in use, and not what it was */
    CU_ASSERT_EQUAL(filter_open(&opts, &none), ERR_STORAGE);
    CU_ASSERT_PTR_NULL(none);
    CU_ASSERT_EQUAL_FATAL(truncate(opts.path, KEYS_MAX * 4 + 4096), 0);
    CU_ASSERT_EQUAL(filter_open(&opts, &none), ERR_STORAGE);
    filter_close(fixture.filter);
    CU_ASSERT_EQUAL(filter_open(&opts, &none), ERR_NONE);
    filter_close(none);
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"what is told is never lacking, while many look, make and list", test_at_once},
    {"the processes of a machine share it, and nothing is left of it after them", test_shared},
    {"a process that is killed while it lists leaves a filter that is right", test_killed},
    {"a file that cannot be one is refused", test_no_file},
};

int main(void)
{
    return suite_main("filter_shared", cases, sizeof cases / sizeof cases[0]);
}
