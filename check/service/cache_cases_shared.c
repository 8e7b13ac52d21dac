/* With a remote part: processes of one machine and of several. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/redis.h"
#include "check/service/cache_cases.h"
#include "check/service/cache_world.h"

enum { PROCESSES = 4, CALLERS = 500, SLOW_MS = 200, BOUND_MS = 1000, PASSWORD_SIZE = 32 };

static struct site site, other;
static struct source source, other_source;

static void begin(void)
{
    site_open(&site, NULL);
    site_open_other(&other, &site);
    source_init(&source, 1);
    source_init(&other_source, 1);
}

static void end(void)
{
    site_close(&other);
    site_close(&site);
}

static void change(int64_t value, uint64_t version)
{
    source_set(&source, value, version);
    source_set(&other_source, value, version);
}

void cache_case_shared(void)
{
    int64_t value = 0;
    begin();
    source.group = "g";
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    CU_ASSERT_EQUAL(world_ask(&other, "k", &other_source, &value), ERR_NONE);
    CU_ASSERT_EQUAL(value, 1);
    CU_ASSERT_EQUAL(source.asked, 1);
    CU_ASSERT_EQUAL(other_source.asked, 0);
    end();
}

/* ---- invalidated by one, asked for by another ---- */

struct awaiting {
    int64_t value, least;
};

static bool other_has(void *context)
{
    struct awaiting *awaiting = context;
    return world_ask(&other, "k", &other_source, &awaiting->value) == ERR_NONE && awaiting->value >= awaiting->least;
}

void cache_case_shared_invalidated(void)
{
    int64_t value = 0;
    begin();
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    CU_ASSERT_EQUAL(world_ask(&other, "k", &other_source, &value), ERR_NONE);
    change(2, 2);
    cache_invalidate(site.cache, TEXT("k"));
    int64_t acknowledged_ns = clock_now_ns();
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);   /* here it is gone at once */
    CU_ASSERT_EQUAL(value, 2);
    struct awaiting awaiting = {.least = 2};
    CU_ASSERT(process_until(other_has, &awaiting, BOUND_MS));
    printf("# %s: another machine had the newer value %lld ms after it was acknowledged, near_ms being %d\n",
           world->name, (long long)((clock_now_ns() - acknowledged_ns) / NS_PER_MS), SITE_NEAR_MS);
    end();
}

void cache_case_shared_group(void)
{
    begin();
    source.group = other_source.group = "g";
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, NULL), ERR_NONE);
    CU_ASSERT_EQUAL(world_ask(&other, "k", &other_source, NULL), ERR_NONE);
    change(2, 0);
    cache_invalidate_group(site.cache, TEXT("g"));
    struct awaiting awaiting = {.least = 2};
    CU_ASSERT(process_until(other_has, &awaiting, BOUND_MS));
    end();
}

/* A loader on one machine is paused with the older value; the newer is acknowledged on another; the loader goes on. */
void cache_case_shared_refill(void)
{
    struct asker leader = {.site = &site, .key = "k", .source = &source};
    int64_t value = 0;
    begin();
    change(1, 1);
    source_pause(&source);
    asker_start(&leader);
    CU_ASSERT(source_holds(&source, 1));
    change(2, 2);
    cache_invalidate(other.cache, TEXT("k"));
    struct awaiting awaiting = {.least = 2};
    CU_ASSERT(process_until(other_has, &awaiting, BOUND_MS));
    int64_t bound_ns = clock_now_ns() + SITE_NEAR_MS * NS_PER_MS;
    source_go_on(&source);
    asker_join(&leader);
    CU_ASSERT_EQUAL(leader.err, ERR_NONE);
    while (clock_now_ns() < bound_ns)   /* within the bound it may have either … */
        CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    for (int i = 0; i < 100; i++) {     /* … then never the older, on either machine */
        CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
        CU_ASSERT_EQUAL(value, 2);
        CU_ASSERT_EQUAL(world_ask(&other, "k", &other_source, &value), ERR_NONE);
        CU_ASSERT_EQUAL(value, 2);
    }
    end();
}

/* ---- breakdown: real processes ---- */

struct tally {
    atomic_uint asked, served, ready;
    atomic_bool go;
};

static struct tally *shared_tally(void)
{
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(tally != MAP_FAILED);
    return tally;
}

/* A process of its own: so many callers at once, each once. */
static void call_often(struct tally *tally, const char *name, unsigned callers)
{
    struct asker *askers = calloc(callers, sizeof *askers);
    site_open(&site, &(struct site_opts){.name = name});
    source_init(&source, 1);
    source.delay_ms = SLOW_MS;
    tally->ready++;
    while (!tally->go)
        sched_yield();
    for (unsigned i = 0; i < callers; i++) {
        askers[i] = (struct asker){.site = &site, .key = "k", .source = &source};
        asker_start(&askers[i]);
    }
    for (unsigned i = 0; i < callers; i++) {
        asker_join(&askers[i]);
        tally->served += askers[i].err == ERR_NONE && askers[i].value == 1;
    }
    tally->asked += source.asked;
    _exit(0);
}

static bool all_ready(void *context)
{
    const struct tally *tally = context;
    return tally->ready == PROCESSES;
}

void cache_case_shared_breakdown(void)
{
    struct tally *tally = shared_tally();
    pid_t pids[PROCESSES];
    char name[32];
    snprintf(name, sizeof name, "breakdown%d", (int)getpid());
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            call_often(tally, name, CALLERS / PROCESSES);
    }
    CU_ASSERT(process_until(all_ready, tally, WORLD_DEADLINE_MS));
    tally->go = true;
    for (int i = 0; i < PROCESSES; i++)
        waitpid(pids[i], NULL, 0);
    printf("# %s: %d callers in %d processes asked a source of %d ms %u time(s)\n", world->name, CALLERS, PROCESSES,
           SLOW_MS, tally->asked);
#ifdef WITH_SANITIZERS
    CU_ASSERT(tally->asked <= PROCESSES);   /* so slow that Redis is not waited for */
#else
    CU_ASSERT_EQUAL(tally->asked, 1);
#endif
    CU_ASSERT_EQUAL(tally->served, CALLERS);
    munmap(tally, sizeof *tally);
}

/* The one that loads is killed: another takes its place when its claim has ended, and one only. */
static void load_until_killed(struct tally *tally, const char *name)
{
    struct asker asker = {.site = &site, .key = "k", .source = &source};
    site_open(&site, &(struct site_opts){.name = name});
    source_init(&source, 1);
    source_pause(&source);
    asker_start(&asker);
    while (!source.asked)
        sched_yield();
    tally->asked++;
    tally->ready = PROCESSES;
    pause();
    _exit(0);
}

void cache_case_shared_holder_dies(void)
{
    struct tally *tally = shared_tally();
    struct asker askers[16];
    char name[32];
    snprintf(name, sizeof name, "holder%d", (int)getpid());
    pid_t pid = fork();
    if (pid == 0)
        load_until_killed(tally, name);
    CU_ASSERT(process_until(all_ready, tally, WORLD_DEADLINE_MS));
    site_open(&site, &(struct site_opts){.name = name});
    site_open(&other, &(struct site_opts){.name = name});
    source_init(&source, 1);
    int64_t began_ns = clock_now_ns();
    for (int i = 0; i < 16; i++) {
        askers[i] = (struct asker){.site = i % 2 ? &site : &other, .key = "k", .source = &source};
        asker_start(&askers[i]);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 16; i++) {
        asker_join(&askers[i]);
        CU_ASSERT_EQUAL(askers[i].err, ERR_NONE);
    }
    printf("# %s: after the one that loaded was killed the others had it in %lld ms, the claim being %d ms\n",
           world->name, (long long)((clock_now_ns() - began_ns) / NS_PER_MS), SITE_CLAIM_MS);
    CU_ASSERT_EQUAL(tally->asked + source.asked, 2);
    end();
    munmap(tally, sizeof *tally);
}

/* ---- without it ---- */

void cache_case_away(void)
{
    int64_t value = 0;
    begin();
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    redis_kill(world_server());
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "away%d", i);
        CU_ASSERT_EQUAL(world_ask_for(&site, key, &source, &world_lifetimes, SLOW_MS, &value), ERR_NONE);
        CU_ASSERT_EQUAL(world_ask_for(&site, key, &source, &world_lifetimes, SLOW_MS, &value), ERR_NONE);
    }
    CU_ASSERT_EQUAL(source.asked, 101);   /* memory is there all the same */
    change(2, 0);
    cache_invalidate(site.cache, TEXT("k"));
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    CU_ASSERT_EQUAL(value, 2);
    CU_ASSERT_EQUAL_FATAL(redis_start(world_server(), world_folder(), false), ERR_NONE);
    struct awaiting awaiting = {.least = 2};
    CU_ASSERT(process_until(other_has, &awaiting, BOUND_MS));
    end();
}

/* It takes connections and says nothing. What was invalidated meanwhile is told when it is well again. */
void cache_case_hangs(void)
{
    int64_t value = 0, longest_ns = 0, total_ns = 0;
    begin();
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, &value), ERR_NONE);
    redis_freeze(world_server());
    change(2, 2);
    cache_invalidate(site.cache, TEXT("k"));
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "hangs%d", i);
        int64_t began_ns = clock_now_ns();
        CU_ASSERT_EQUAL(world_ask(&site, key, &source, &value), ERR_NONE);
        int64_t took_ns = clock_now_ns() - began_ns;
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
        total_ns += took_ns;
    }
    printf("# %s: with a Redis that hangs 50 loads took %lld ms, the longest %lld ms, its timeout being %d ms\n",
           world->name, (long long)(total_ns / NS_PER_MS), (long long)(longest_ns / NS_PER_MS), SITE_TIMEOUT_MS);
    CU_ASSERT(longest_ns < 4 * SITE_TIMEOUT_MS * NS_PER_MS);
    redis_thaw(world_server());
    struct awaiting awaiting = {.least = 2};
    CU_ASSERT(process_until(other_has, &awaiting, BOUND_MS));
    end();
}

/* ---- ACL ---- */

static bool shares(const char *user, const char *password)
{
    char path[200];
    snprintf(path, sizeof path, "%s/password", world_folder());
    unlink(path);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file, "%s\n", password);
    fchmod(fileno(file), 0600);
    fclose(file);
    const struct site_opts first = {.user = user, .password_file = path};
    site_open(&site, &first);
    site_open(&other, &(struct site_opts){.name = site.name, .user = user, .password_file = path});
    source_init(&source, 1);
    CU_ASSERT_EQUAL(world_ask(&site, "k", &source, NULL), ERR_NONE);
    CU_ASSERT_EQUAL(world_ask(&other, "k", &source, NULL), ERR_NONE);
    bool shared = source.asked == 1;
    end();
    return shared;
}

void cache_case_signs_in(void)
{
    unsigned port = world_server()->port;
    CU_ASSERT_EQUAL(redis_tell(port, "ACL SETUSER cache on >secret ~case* " WORLD_RIGHTS), ERR_NONE);
    CU_ASSERT_EQUAL(redis_tell(port, "ACL SETUSER default on >word ~* +@all"), ERR_NONE);
    CU_ASSERT(shares("cache", "secret"));
    CU_ASSERT(shares("", "word"));
    CU_ASSERT_FALSE(shares("cache", "wrong"));   /* which is as if it were away */
    CU_ASSERT_FALSE(shares("nobody", "secret"));
    redis_kill(world_server());                  /* and is without passwords again */
    CU_ASSERT_EQUAL_FATAL(redis_start(world_server(), world_folder(), false), ERR_NONE);
}
