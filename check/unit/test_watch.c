/* Watching settings files: every way in which they are replaced is seen, what does not concern them is not. */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "conf/debounce.h"
#include "conf/watch.h"

enum { PATH_SIZE = 256, SEEN_MS = 1000 };

static char *folder;
static struct watch *watch;
static struct arena arena;
static char *environment[] = {(char[]){"TANDEM_ENV=dev"}, NULL};

static const char *path_of(const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name)
{
    FILE *file = fopen(path_of(name), "a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("\n", file);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void make_folder(const char *name)
{
    CU_ASSERT_EQUAL_FATAL(mkdir(path_of(name), 0700), 0);
}

static void make_link(const char *target, const char *name)
{
    CU_ASSERT_EQUAL_FATAL(symlink(target, path_of(name)), 0);
}

static void move(const char *from, const char *to)
{
    CU_ASSERT_EQUAL_FATAL(rename(path_of(from), path_of(to)), 0);
}

/* Watches NAME and what stands beside it. */
static void begin_at(const char *name, bool is_signed)
{
    struct sources *sources = arena_calloc(&arena, 1, sizeof *sources);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sources);
    CU_ASSERT_EQUAL_FATAL(sources_find(path_of(name), environment, &arena, sources), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(watch_sources(watch, sources, is_signed), ERR_NONE);
}

static void begin(void)
{
    folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    arena_init(&arena, 4 * 1024 * 1024);
    CU_ASSERT_EQUAL_FATAL(watch_open(&watch), ERR_NONE);
}

static void end(void)
{
    watch_close(watch);
    arena_fini(&arena);
    process_remove(folder);
    free(folder);
}

static bool sees(void)
{
    int64_t until_ns = clock_now_ns() + SEEN_MS * NS_PER_MS;
    bool seen = false;
    while (!seen && clock_now_ns() < until_ns) {
        struct pollfd fd = {.fd = watch_fd(watch), .events = POLLIN};
        poll(&fd, 1, SEEN_MS);
        seen = watch_changed(watch);
    }
    return seen;
}

/* The kernel tells in order: when what concerns us is seen, what came before it would have been. */
static bool sees_nothing(void)
{
    return !watch_changed(watch);
}

static void test_written(void)
{
    begin();
    write_file("tandem.conf");
    begin_at("tandem.conf", false);
    CU_ASSERT(sees_nothing());
    write_file("tandem.conf");
    CU_ASSERT(sees());
    FILE *open_file = fopen(path_of("tandem.conf"), "a");
    fputs("# not closed yet\n", open_file);
    fflush(open_file);
    CU_ASSERT(sees());
    fclose(open_file);
    CU_ASSERT(sees());
    CU_ASSERT_EQUAL(truncate(path_of("tandem.conf"), 0), 0);
    CU_ASSERT(sees());
    CU_ASSERT_EQUAL(chmod(path_of("tandem.conf"), 0644), 0);
    CU_ASSERT(sees());
    end();
}

static void test_renamed(void)
{
    begin();
    write_file("tandem.conf");
    begin_at("tandem.conf", false);
    write_file(".tandem.conf.swp");
    write_file("tandem.conf~");
    CU_ASSERT(sees_nothing());
    move(".tandem.conf.swp", "tandem.conf");
    CU_ASSERT(sees());
    begin_at("tandem.conf", false);
    write_file("tandem.conf");   /* the new one */
    CU_ASSERT(sees());
    end();
}

static void test_deleted_and_made(void)
{
    begin();
    write_file("tandem.conf");
    begin_at("tandem.conf", false);
    unlink(path_of("tandem.conf"));
    CU_ASSERT(sees());
    begin_at("tandem.conf", false);
    write_file("tandem.conf");
    CU_ASSERT(sees());
    end();
}

/* ln -sfn: the link to a folder, the link to a file. */
static void test_link_replaced(void)
{
    begin();
    make_folder("1");
    make_folder("2");
    write_file("1/tandem.conf");
    write_file("2/tandem.conf");
    make_link("1", "live");
    begin_at("live/tandem.conf", false);
    make_link("2", "live.new");
    CU_ASSERT(sees_nothing());
    move("live.new", "live");
    CU_ASSERT(sees());
    begin_at("live/tandem.conf", false);
    write_file("1/tandem.conf");
    CU_ASSERT(sees_nothing());
    write_file("2/tandem.conf");
    CU_ASSERT(sees());

    make_link("1/tandem.conf", "tandem.conf");
    begin_at("tandem.conf", false);
    write_file("1/tandem.conf");
    CU_ASSERT(sees());
    make_link(path_of("2/tandem.conf"), "other");
    move("other", "tandem.conf");
    CU_ASSERT(sees());
    end();
}

/* As Kubernetes delivers: tandem.conf -> ..data/tandem.conf, ..data -> ..1, and then another folder. */
static void test_data_swapped(void)
{
    begin();
    make_folder("..1");
    make_folder("..2");
    write_file("..1/tandem.conf");
    write_file("..2/tandem.conf");
    make_link("..1", "..data");
    make_link("..data/tandem.conf", "tandem.conf");
    begin_at("tandem.conf", false);
    CU_ASSERT(sees_nothing());
    make_link("..2", "..data_tmp");
    CU_ASSERT(sees_nothing());
    move("..data_tmp", "..data");
    CU_ASSERT(sees());
    begin_at("tandem.conf", false);
    unlink(path_of("..1/tandem.conf"));
    rmdir(path_of("..1"));
    CU_ASSERT(sees_nothing());
    write_file("..2/tandem.conf");
    CU_ASSERT(sees());
    end();
}

static void test_folder_replaced(void)
{
    begin();
    make_folder("etc");
    make_folder("etc/tandem");
    write_file("etc/tandem/tandem.conf");
    begin_at("etc/tandem/tandem.conf", false);
    move("etc", "old");
    CU_ASSERT(sees());
    begin_at("etc/tandem/tandem.conf", false);
    CU_ASSERT(sees_nothing());
    make_folder("new");
    make_folder("new/tandem");
    write_file("new/tandem/tandem.conf");
    move("new", "etc");
    CU_ASSERT(sees());
    end();
}

static void test_neighbours(void)
{
    begin();
    write_file("tandem.conf");
    begin_at("tandem.conf", false);
    write_file("user.db");
    write_file("tandem.conf.minisig");
    write_file("other.conf");
    CU_ASSERT(sees_nothing());
    write_file("tandem.dev.conf");
    CU_ASSERT(sees());
    begin_at("tandem.conf", false);
    make_folder("conf.d");
    CU_ASSERT(sees());
    begin_at("tandem.conf", false);
    write_file("conf.d/README");
    CU_ASSERT(sees_nothing());
    write_file("conf.d/10-new.conf");
    CU_ASSERT(sees());
    begin_at("tandem.conf", false);
    unlink(path_of("conf.d/10-new.conf"));
    CU_ASSERT(sees());
    end();
}

static void test_signatures(void)
{
    begin();
    write_file("tandem.conf");
    make_folder("conf.d");
    begin_at("tandem.conf", true);
    write_file("tandem.conf.minisig");
    CU_ASSERT(sees());
    write_file("conf.d/10.conf.minisig");
    CU_ASSERT(sees());
    end();
}

static void test_loops(void)
{
    begin();
    make_link("b", "a");
    make_link("a", "b");
    begin_at("a", false);
    unlink(path_of("b"));
    CU_ASSERT(sees());
    end();
}

/* ---- debouncing ---- */

static void test_debounce_quiet(void)
{
    struct debounce debounce = {.first_ns = 0};
    int64_t now_ns = 7 * NS_PER_S;
    CU_ASSERT_EQUAL(debounce_left_ms(&debounce, now_ns), -1);
    debounce_note(&debounce, now_ns);
    CU_ASSERT_EQUAL(debounce_left_ms(&debounce, now_ns), DEBOUNCE_QUIET_MS);
    debounce_note(&debounce, now_ns + 60 * NS_PER_MS);
    CU_ASSERT_EQUAL(debounce_left_ms(&debounce, now_ns + 100 * NS_PER_MS), 60);
    CU_ASSERT_EQUAL(debounce_left_ms(&debounce, now_ns + 160 * NS_PER_MS - 1), 1);
    CU_ASSERT_EQUAL(debounce_left_ms(&debounce, now_ns + 160 * NS_PER_MS), 0);
    CU_ASSERT_EQUAL(debounce_left_ms(&debounce, now_ns + 900 * NS_PER_MS), 0);
    debounce_clear(&debounce);
    CU_ASSERT_EQUAL(debounce_left_ms(&debounce, now_ns), -1);
}

static void test_debounce_bounded(void)
{
    struct debounce debounce = {.first_ns = 0};
    int64_t start_ns = NS_PER_S, now_ns = start_ns;
    for (; debounce_left_ms(&debounce, now_ns) != 0; now_ns += 10 * NS_PER_MS)
        debounce_note(&debounce, now_ns);
    CU_ASSERT_EQUAL((now_ns - start_ns) / NS_PER_MS, DEBOUNCE_MOST_MS);
}

static const struct suite_case cases[] = {
    {"a file that is written is seen, closed or not", test_written},
    {"a file that is renamed into place is seen", test_renamed},
    {"a file that is deleted and made again is seen", test_deleted_and_made},
    {"a link that is replaced is seen, and what it leads to", test_link_replaced},
    {"a swap of ..data is seen", test_data_swapped},
    {"a folder on the way that is replaced is seen", test_folder_replaced},
    {"files that come in beside are seen, others are not", test_neighbours},
    {"signatures are seen where they are needed", test_signatures},
    {"links in a circle are survived", test_loops},
    {"a change is told after a quiet while", test_debounce_quiet},
    {"constant changes are told in bounded time", test_debounce_bounded},
};

int main(void)
{
    return suite_main("watch", cases, sizeof cases / sizeof cases[0]);
}
