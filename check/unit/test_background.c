#include "config.h"

#include <stdatomic.h>

#include "app/background.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"


enum { INTERVAL_MS = 10 };

static struct scratch scratch;

/* One who does the work: a process, but for its address space. */
struct worker {
    struct db *db;
    struct background *background;
    atomic_uint steps;
    unsigned wanted;               /* by has_come() */
    unsigned more;                 /* so many steps at once */
    bool in_each;
    enum err err;
};

static enum err step(void *context, struct db_connection *reader, bool *ret_more)
{
    struct worker *worker = context;
    struct db_statement *row = db_query(reader, "SELECT 1");
    while (db_next(row))
        ;
    enum err err = db_done(row);
    unsigned steps = atomic_fetch_add(&worker->steps, 1) + 1;
    *ret_more = steps < worker->more;
    return err ? err : worker->err;
}

static void begin_worker(struct worker *worker, unsigned interval_ms)
{
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "service.db"));
    atomic_store(&worker->steps, 0);
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &worker->db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(worker->db), ERR_NONE);
    const struct background_opts background = {.db = worker->db, .what = "counting", .interval_ms = interval_ms,
                                               .in_each = worker->in_each, .step = step, .context = worker};
    CU_ASSERT_EQUAL_FATAL(background_start(&background, &worker->background), ERR_NONE);
}

static void end_worker(struct worker *worker)
{
    background_stop(worker->background);
    db_close(worker->db);
}

static bool has_come(void *context)
{
    struct worker *worker = context;
    return atomic_load(&worker->steps) >= worker->wanted;
}

static void test_again_and_again(void)
{
    static struct worker worker = {.wanted = 5};
    scratch_init(&scratch);
    begin_worker(&worker, INTERVAL_MS);
    CU_ASSERT_TRUE(scratch_eventually(has_come, &worker));
    end_worker(&worker);
    scratch_fini(&scratch);
}

/* Within less than an interval: one step follows another while there is more to do. */
static void test_more(void)
{
    static struct worker worker = {.wanted = 50, .more = 50};
    scratch_init(&scratch);
    begin_worker(&worker, 2000);
    int64_t begun_ns = clock_now_ns();
    CU_ASSERT_TRUE(scratch_eventually(has_come, &worker));
    CU_ASSERT(clock_now_ns() - begun_ns < 4000 * NS_PER_MS);
    end_worker(&worker);
    scratch_fini(&scratch);
}

static void test_failing(void)
{
    static struct worker worker = {.wanted = 5, .more = 1000000, .err = ERR_BUSY};
    scratch_init(&scratch);
    begin_worker(&worker, INTERVAL_MS);
    int64_t begun_ns = clock_now_ns();
    CU_ASSERT_TRUE(scratch_eventually(has_come, &worker));
    CU_ASSERT(clock_now_ns() - begun_ns >= 4 * INTERVAL_MS * NS_PER_MS);   /* after an error it pauses */
    end_worker(&worker);
    scratch_fini(&scratch);
}

static void test_one_at_a_time(void)
{
    static struct worker first = {.wanted = 3}, second = {.wanted = 3};
    scratch_init(&scratch);
    begin_worker(&first, INTERVAL_MS);
    CU_ASSERT_TRUE(scratch_eventually(has_come, &first));
    begin_worker(&second, INTERVAL_MS);
    first.wanted = atomic_load(&first.steps) + 10;
    CU_ASSERT_TRUE(scratch_eventually(has_come, &first));
    CU_ASSERT_EQUAL(atomic_load(&second.steps), 0);
    end_worker(&first);
    CU_ASSERT_TRUE(scratch_eventually(has_come, &second));
    end_worker(&second);
    scratch_fini(&scratch);
}

static void test_in_each(void)
{
    static struct worker first = {.wanted = 3, .in_each = true}, second = {.wanted = 3, .in_each = true};
    scratch_init(&scratch);
    begin_worker(&first, INTERVAL_MS);
    begin_worker(&second, INTERVAL_MS);
    CU_ASSERT_TRUE(scratch_eventually(has_come, &first));
    CU_ASSERT_TRUE(scratch_eventually(has_come, &second));
    end_worker(&second);
    end_worker(&first);
    scratch_fini(&scratch);
}

static void test_hurried(void)
{
    static struct worker worker;
    scratch_init(&scratch);
    begin_worker(&worker, 3600000);
    for (worker.wanted = 1; worker.wanted <= 3; worker.wanted++) {
        background_hurry(worker.background);
        CU_ASSERT_TRUE(scratch_eventually(has_come, &worker));
    }
    end_worker(&worker);
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"a step comes after each interval", test_again_and_again},
    {"while there is more to do there is no pause", test_more},
    {"what fails is tried again after a pause", test_failing},
    {"one process at a time does it, and another takes over", test_one_at_a_time},
    {"what each process does for itself waits for no other", test_in_each},
    {"a step that is hurried comes at once", test_hurried},
};

int main(void)
{
    return engines_main("background", cases, sizeof cases / sizeof cases[0]);
}
