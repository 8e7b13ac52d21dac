/* Turns and leases: in order, one at a time, and never lost with who dies. */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "state/turn.h"

enum { PATIENT_MS = 20000, DEATH_MAX_MS = 2000 };

/* What the processes of a test say to each other. */
static struct shared {
    atomic_int inside, most_inside, ready, go, order[16], order_count, turns[16];
} *shared;

static struct scratch scratch;
static char path[SCRATCH_PATH_SIZE];

static void begin(void)
{
    scratch_init(&scratch);
    snprintf(path, sizeof path, "%s", scratch_path(&scratch, "x.db-turn"));
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(shared != MAP_FAILED);
}

static void end(void)
{
    munmap(shared, sizeof *shared);
    scratch_fini(&scratch);
}

static struct turn *joined(void)
{
    struct turn *turn = NULL;
    if (turn_open(path, &turn))
        _exit(10);
    return turn;
}

static pid_t child(void (*run)(int number), int number)
{
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid == 0) {
        run(number);
        _exit(0);
    }
    return pid;
}

static void expect_end(pid_t pid)
{
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool is_at_least(atomic_int *number, int wanted)
{
    int64_t until_ns = clock_now_ns() + PATIENT_MS * NS_PER_MS;
    while (atomic_load(number) < wanted && clock_now_ns() < until_ns)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return atomic_load(number) >= wanted;
}

/* ---- alone ---- */

static void test_alone(void)
{
    struct turn *turn = NULL;
    begin();
    CU_ASSERT_EQUAL_FATAL(turn_open(path, &turn), ERR_NONE);
    for (int i = 0; i < 2000; i++) {
        CU_ASSERT_TRUE(turn_take(turn, 0));
        turn_pass(turn);
        turn_pass(turn);
    }
    turn_close(turn);
    turn_close(NULL);
    CU_ASSERT_EQUAL(turn_open("/nowhere/at/all", &turn), ERR_STORAGE);
    end();
}

/* ---- one at a time ---- */

enum { TAKERS = 6, TURNS = 400 };

static void take_turns(int number)
{
    struct turn *turn = joined();
    for (int i = 0; i < TURNS; i++) {
        if (!turn_take(turn, PATIENT_MS))
            _exit(11);
        int inside = atomic_fetch_add(&shared->inside, 1) + 1;
        if (inside > atomic_load(&shared->most_inside))
            atomic_store(&shared->most_inside, inside);
        atomic_fetch_add(&shared->turns[number], 1);
        atomic_fetch_sub(&shared->inside, 1);
        turn_pass(turn);
    }
    turn_close(turn);
}

static void test_one_at_a_time(void)
{
    pid_t pids[TAKERS];
    begin();
    for (int i = 0; i < TAKERS; i++)
        pids[i] = child(take_turns, i);
    for (int i = 0; i < TAKERS; i++)
        expect_end(pids[i]);
    CU_ASSERT_EQUAL(shared->most_inside, 1);
    for (int i = 0; i < TAKERS; i++)
        CU_ASSERT_EQUAL(shared->turns[i], TURNS);
    end();
}

/* ---- in order ---- */

static void ask_in_order(int number)
{
    struct turn *turn = joined();
    if (!is_at_least(&shared->go, number))
        _exit(12);
    atomic_store(&shared->ready, number);
    if (!turn_take(turn, PATIENT_MS))
        _exit(13);
    shared->order[atomic_fetch_add(&shared->order_count, 1)] = number;
    turn_pass(turn);
    turn_close(turn);
}

/* Asleep in the kernel, or past that: it has drawn its ticket. */
static bool is_asleep(void *context)
{
    char name[64], stat[512] = "";
    snprintf(name, sizeof name, "/proc/%ld/stat", (long)*(pid_t *)context);
    FILE *file = fopen(name, "re");
    if (!file)
        return true;
    size_t length = fread(stat, 1, sizeof stat - 1, file);
    fclose(file);
    const char *after_name = length ? strrchr(stat, ')') : NULL;
    return after_name && after_name[1] == ' ' && after_name[2] == 'S';
}

static void test_in_order(void)
{
    pid_t pids[TAKERS];
    begin();
    struct turn *turn = joined();
    CU_ASSERT_TRUE(turn_take(turn, 0));
    for (int i = 0; i < TAKERS; i++) {
        pids[i] = child(ask_in_order, i + 1);
        atomic_store(&shared->go, i + 1);
        CU_ASSERT_TRUE(is_at_least(&shared->ready, i + 1));
        CU_ASSERT_TRUE(process_until(is_asleep, &pids[i], PATIENT_MS));
    }
    CU_ASSERT_EQUAL(shared->order_count, 0);
    turn_pass(turn);
    for (int i = 0; i < TAKERS; i++)
        expect_end(pids[i]);
    for (int i = 0; i < TAKERS; i++)
        CU_ASSERT_EQUAL(shared->order[i], i + 1);
    turn_close(turn);
    end();
}

/* ---- who dies, and who does not wait ---- */

static void hold(int number)
{
    struct turn *turn = joined();
    if (!turn_take(turn, PATIENT_MS))
        _exit(14);
    atomic_store(&shared->ready, number);
    for (;;)
        pause();
}

static void kill_and_reap(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void expect_soon(struct turn *turn)
{
    int64_t from_ns = clock_now_ns();
    CU_ASSERT_TRUE(turn_take(turn, PATIENT_MS));
    CU_ASSERT(clock_now_ns() - from_ns < DEATH_MAX_MS * NS_PER_MS);
    turn_pass(turn);
}

static void test_holder_killed(void)
{
    begin();
    struct turn *turn = joined();
    pid_t holder = child(hold, 1);
    CU_ASSERT_TRUE(is_at_least(&shared->ready, 1));
    CU_ASSERT_FALSE(turn_take(turn, 5 * TURN_CHECK_MS));   /* it lives, and is waited for */
    kill_and_reap(holder);
    expect_soon(turn);
    expect_soon(turn);
    turn_close(turn);
    end();
}

/* Who is started in its stead gets its place, and does not look like it. */
static void test_holder_replaced(void)
{
    begin();
    struct turn *turn = joined();
    pid_t holder = child(hold, 1);
    CU_ASSERT_TRUE(is_at_least(&shared->ready, 1));
    kill_and_reap(holder);
    struct turn *successor = joined();
    expect_soon(turn);
    expect_soon(successor);
    turn_close(turn);
    turn_close(successor);
    end();
}

static void test_waiters_killed(void)
{
    pid_t pids[TAKERS];
    begin();
    struct turn *turn = joined(), *other = joined();
    CU_ASSERT_TRUE(turn_take(turn, 0));
    for (int i = 0; i < TAKERS; i++) {
        pids[i] = child(ask_in_order, 1);
        atomic_store(&shared->go, 1);
        CU_ASSERT_TRUE(is_at_least(&shared->ready, 1));
        CU_ASSERT_TRUE(process_until(is_asleep, &pids[i], PATIENT_MS));
    }
    for (int i = 0; i < TAKERS; i++)
        kill_and_reap(pids[i]);
    turn_pass(turn);
    expect_soon(other);
    expect_soon(turn);
    turn_close(turn);
    turn_close(other);
    end();
}

static void test_impatient(void)
{
    begin();
    struct turn *holder = joined(), *impatient = joined(), *other = joined();
    CU_ASSERT_TRUE(turn_take(holder, 0));
    CU_ASSERT_FALSE(turn_take(impatient, 1));
    CU_ASSERT_FALSE(turn_take(impatient, 0));
    turn_pass(impatient);   /* holds none */
    CU_ASSERT_FALSE(turn_take(other, 3 * TURN_CHECK_MS));
    turn_pass(holder);
    expect_soon(other);
    expect_soon(impatient);
    CU_ASSERT_TRUE(turn_take(holder, 0));
    turn_close(holder);     /* leaves with the turn */
    expect_soon(other);
    turn_close(impatient);
    turn_close(other);
    end();
}

/* What the file says when nobody uses it does not matter: a page of nonsense, of another start of the machine. */
static void test_nonsense(void)
{
    begin();
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; i < 8192; i++)
        fputc(0xa5, file);
    fclose(file);
    struct turn *turn = joined(), *other = joined();
    expect_soon(turn);
    expect_soon(other);
    expect_soon(turn);
    turn_close(turn);
    turn_close(other);
    end();
}

static void test_many_places(void)
{
    static struct turn *turns[TURN_PLACES];
    struct turn *none = NULL;
    begin();
    for (int i = 0; i < TURN_PLACES; i++)
        CU_ASSERT_EQUAL_FATAL(turn_open(path, &turns[i]), ERR_NONE);
    CU_ASSERT_EQUAL(turn_open(path, &none), ERR_BUSY);
    turn_close(turns[7]);
    CU_ASSERT_EQUAL_FATAL(turn_open(path, &turns[7]), ERR_NONE);
    expect_soon(turns[7]);
    for (int i = 0; i < TURN_PLACES; i++)
        turn_close(turns[i]);
    end();
}

/* ---- leases ---- */

static struct db *opened(void)
{
    char file[SCRATCH_PATH_SIZE];
    snprintf(file, sizeof file, "%s/lease.db", scratch.folder);
    struct db_opts opts = scratch_db_opts(file);
    struct db *db = NULL;
    if (db_open(&opts, &db))
        _exit(15);
    return db;
}

static void lead(int number)
{
    struct db *db = opened();
    if (!db_lease_take(db, 3))
        _exit(16);
    atomic_store(&shared->ready, number);
    for (;;)
        pause();
}

static bool is_taken_over(void *db)
{
    return db_lease_take(db, 3);
}

static void test_lease(void)
{
    begin();
    pid_t leader = child(lead, 1);
    CU_ASSERT_TRUE(is_at_least(&shared->ready, 1));
    struct db *one = opened(), *two = opened();
    CU_ASSERT_FALSE(db_lease_take(one, 3));
    CU_ASSERT_TRUE(db_lease_take(two, 4));   /* another lease */
    kill_and_reap(leader);
    CU_ASSERT_TRUE(process_until(is_taken_over, one, 5000));
    CU_ASSERT_TRUE(db_lease_take(one, 3));   /* still its own */
    CU_ASSERT_FALSE(db_lease_take(two, 3));
    db_lease_end(one, 3);
    CU_ASSERT_TRUE(db_lease_take(two, 3));
    db_close(two);
    CU_ASSERT_TRUE(db_lease_take(one, 3));
    CU_ASSERT_TRUE(db_lease_take(one, 4));
    db_close(one);
    end();
}

static const struct suite_case cases[] = {
    {"who is alone never waits", test_alone},
    {"one at a time has the turn", test_one_at_a_time},
    {"turns come in the order they were asked for", test_in_order},
    {"the turn of a process that was killed is passed on", test_holder_killed},
    {"so is that of one whose place another process has got since", test_holder_replaced},
    {"those who were killed while they waited are passed over", test_waiters_killed},
    {"who does not wait is passed over, who leaves passes on", test_impatient},
    {"what nobody uses is made anew", test_nonsense},
    {"there are as many places as are promised", test_many_places},
    {"one of all holds a lease, until it ends however it does", test_lease},
};

int main(void)
{
    return suite_main("turn", cases, sizeof cases / sizeof cases[0]);
}
