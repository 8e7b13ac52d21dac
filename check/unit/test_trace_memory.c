/* The queue and the memory of recent traces: bounded, shared by processes, and whole whoever is killed. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "telemetry/trace_memory.h"
#include "telemetry/trace_queue.h"
#include "telemetry/trace_recorder.h"
#include "telemetry/trace_sampler.h"

enum { SIZE = TRACE_MEMORY_LEAST_BYTES, RECORD_MAX = 2000 };

static struct scratch scratch;

/* ---- records that can be told whole from broken: a number, and bytes that follow from it ---- */

static struct text make(uint32_t number, char out[static RECORD_MAX])
{
    size_t length = 8 + number * 37 % (RECORD_MAX - 8);
    memcpy(out, &number, sizeof number);
    for (size_t i = sizeof number; i < length; i++)
        out[i] = (char)(number * 31 + i);
    return (struct text){out, length};
}

static bool is_whole(struct text record, uint32_t *ret_number)
{
    char wanted[RECORD_MAX];
    if (record.length < sizeof *ret_number)
        return false;
    memcpy(ret_number, record.at, sizeof *ret_number);
    return text_equal(make(*ret_number, wanted), record);
}

/* How many there are; all whole, of one writer in a row. */
static size_t check_all(struct trace_memory *memory, uint32_t *ret_last)
{
    struct buf bytes;
    struct text rest, record;
    size_t count = 0, broken = 0;
    buf_init(&bytes, trace_memory_size(memory));
    trace_memory_read(memory, &bytes);
    for (rest = buf_text(&bytes); trace_memory_next(&rest, &record); count++)
        broken += !is_whole(record, ret_last);
    CU_ASSERT_EQUAL(broken, 0);
    CU_ASSERT_EQUAL(rest.length, 0);
    buf_fini(&bytes);
    return count;
}

static struct trace_memory *open_memory(size_t size)
{
    struct trace_memory *memory = NULL;
    CU_ASSERT_EQUAL_FATAL(trace_memory_open(scratch_path(&scratch, "x.db-trace"), size, &memory), ERR_NONE);
    return memory;
}

/* ---- the memory ---- */

static void test_wrap(void)
{
    char record[RECORD_MAX];
    uint32_t last = 0;
    scratch_init(&scratch);
    struct trace_memory *memory = open_memory(SIZE);
    CU_ASSERT_EQUAL(check_all(memory, &last), 0);
    for (uint32_t i = 1; i <= 2000; i++) {
        CU_ASSERT_TRUE(trace_memory_put(memory, make(i, record)));
        size_t count = check_all(memory, &last);
        CU_ASSERT_EQUAL(last, i);
        CU_ASSERT(count >= 1 && count <= i);
        if (i > 1000)
            CU_ASSERT(count > SIZE / RECORD_MAX - 2);
    }
    char *big = calloc(1, SIZE / 4 + 1);
    CU_ASSERT_FALSE(trace_memory_put(memory, (struct text){big, SIZE / 4 + 1}));
    CU_ASSERT_FALSE(trace_memory_put(memory, TEXT("")));
    free(big);
    trace_memory_close(memory);
    scratch_fini(&scratch);
}

static void test_reopen(void)
{
    char record[RECORD_MAX];
    uint32_t last = 0;
    scratch_init(&scratch);
    struct trace_memory *memory = open_memory(SIZE);
    CU_ASSERT_TRUE(trace_memory_put(memory, make(7, record)));
    struct trace_memory *other = open_memory(2 * SIZE);
    CU_ASSERT_EQUAL(trace_memory_size(other), SIZE);
    CU_ASSERT_EQUAL(check_all(other, &last), 1);
    CU_ASSERT_EQUAL(last, 7);
    CU_ASSERT_TRUE(trace_memory_put(other, make(8, record)));
    CU_ASSERT_EQUAL(check_all(memory, &last), 2);
    trace_memory_close(memory);
    trace_memory_close(other);
    memory = open_memory(SIZE);
    CU_ASSERT_EQUAL(check_all(memory, &last), 2);
    trace_memory_close(memory);
    memory = open_memory(2 * SIZE);
    CU_ASSERT_EQUAL(trace_memory_size(memory), 2 * SIZE);
    CU_ASSERT_EQUAL(check_all(memory, &last), 0);
    trace_memory_close(memory);
    scratch_fini(&scratch);
}

/* What is no memory of traces becomes one, and damage to one that is open does no harm. */
static void test_damaged(void)
{
    char garbage[SIZE];
    uint32_t last = 0;
    scratch_init(&scratch);
    memset(garbage, 'x', sizeof garbage);
    int fd = open(scratch_path(&scratch, "x.db-trace"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL(write(fd, garbage, sizeof garbage), (ssize_t)sizeof garbage);
    struct trace_memory *memory = open_memory(SIZE);
    CU_ASSERT_EQUAL(check_all(memory, &last), 0);
    char record[RECORD_MAX];
    unsigned seed = 1;
    for (unsigned round = 0; round < 300; round++) {
        for (uint32_t i = 1; i <= 20; i++)
            CU_ASSERT_TRUE(trace_memory_put(memory, make(i, record)));
        for (unsigned i = 0; i < 40; i++) {
            seed = seed * 1664525u + 1013904223u;
            off_t at = (off_t)(seed >> 8) % (round % 2 ? SIZE : 256);
            CU_ASSERT_EQUAL(pwrite(fd, garbage + i, 1 + i % 9, at), (ssize_t)(1 + i % 9));
        }
        struct buf bytes;
        struct text rest, one;
        buf_init(&bytes, trace_memory_size(memory));
        trace_memory_read(memory, &bytes);
        for (rest = buf_text(&bytes); trace_memory_next(&rest, &one);)
            CU_ASSERT(one.length <= SIZE);
        buf_fini(&bytes);
    }
    trace_memory_close(memory);
    close(fd);
    scratch_fini(&scratch);
}

/* ---- several processes, which are killed in the middle of writing ---- */

enum { WRITERS = 3, KILLS = 60 };

static pid_t start_writer(uint32_t from)
{
    pid_t child = fork();
    if (child == 0) {
        struct trace_memory *memory;
        char record[RECORD_MAX];
        if (trace_memory_open(scratch_path(&scratch, "x.db-trace"), SIZE, &memory))
            _exit(1);
        for (uint32_t i = from;; i++)
            trace_memory_put(memory, make(i, record));
    }
    return child;
}

static void kill_writer(pid_t child)
{
    int status;
    kill(child, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFSIGNALED(status));
}

static void pause_us(unsigned us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000L}, NULL);
}

static void test_killed(void)
{
    pid_t writers[WRITERS];
    char record[RECORD_MAX];
    uint32_t last = 0;
    scratch_init(&scratch);
    struct trace_memory *memory = open_memory(SIZE);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = start_writer((uint32_t)i * 1000000);
    for (uint32_t i = 0; i < KILLS; i++) {
        pause_us(200 + random_below(3000));
        kill_writer(writers[i % WRITERS]);
        check_all(memory, &last);
        CU_ASSERT_TRUE(trace_memory_put(memory, make(i, record)));
        writers[i % WRITERS] = start_writer(i * 1000);
    }
    for (int i = 0; i < WRITERS; i++)
        kill_writer(writers[i]);
    CU_ASSERT(check_all(memory, &last) > SIZE / RECORD_MAX / 2);
    CU_ASSERT_TRUE(trace_memory_put(memory, make(42, record)));
    check_all(memory, &last);
    CU_ASSERT_EQUAL(last, 42);
    trace_memory_close(memory);
    scratch_fini(&scratch);
}

/* ---- threads of one process: readers while others write ---- */

static atomic_bool over;

static void *write_on(void *context)
{
    struct trace_memory *memory = context;
    char record[RECORD_MAX];
    uint32_t number = 0;
    while (!atomic_load(&over)) {
        trace_memory_put(memory, make(number++, record));
        pause_us(10);
    }
    return NULL;
}

static void test_readers(void)
{
    pthread_t threads[2];
    uint32_t last;
    scratch_init(&scratch);
    struct trace_memory *memory = open_memory(SIZE), *others[2] = {open_memory(SIZE), open_memory(SIZE)};
    atomic_store(&over, false);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, write_on, others[i]), 0);
    size_t most = 0;
    int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
    for (int i = 0; (i < 300 || most == 0) && clock_now_ns() < until_ns; i++) {
        size_t count = check_all(memory, &last);
        most = count > most ? count : most;
    }
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        trace_memory_close(others[i]);
    }
    CU_ASSERT(most > 0);
    trace_memory_close(memory);
    scratch_fini(&scratch);
}

/* ---- the queue ---- */

static void test_queue_full(void)
{
    struct trace_queue *queue = trace_queue_new(4096);
    char record[RECORD_MAX], out[RECORD_MAX];
    uint32_t put = 0, number;
    CU_ASSERT_TRUE(trace_queue_is_empty(queue));
    while (trace_queue_put(queue, make(put, record)))
        put++;
    CU_ASSERT(put >= 3);
    CU_ASSERT_TRUE(trace_queue_half_full(queue));
    for (uint32_t i = 0; i < put; i++) {
        size_t length = trace_queue_take(queue, out, sizeof out);
        CU_ASSERT_TRUE(is_whole((struct text){out, length}, &number));
        CU_ASSERT_EQUAL(number, i);
    }
    CU_ASSERT_EQUAL(trace_queue_take(queue, out, sizeof out), 0);
    CU_ASSERT_TRUE(trace_queue_is_empty(queue));
    for (uint32_t i = 0; i < 5000; i++) {
        CU_ASSERT_TRUE(trace_queue_put(queue, make(i, record)));
        CU_ASSERT_TRUE(is_whole((struct text){out, trace_queue_take(queue, out, sizeof out)}, &number));
        CU_ASSERT_EQUAL(number, i);
    }
    CU_ASSERT_TRUE(trace_queue_put(queue, (struct text){record, 1000}));
    CU_ASSERT_EQUAL(trace_queue_take(queue, out, 999), 0);
    CU_ASSERT_TRUE(trace_queue_is_empty(queue));
    trace_queue_free(queue);
}

enum { PUTTERS = 4, PUTS = 20000 };

struct many {
    struct trace_queue *queue;
    atomic_uint dropped;
};

static void *put_many(void *context)
{
    struct many *many = context;
    char record[RECORD_MAX];
    for (uint32_t i = 0; i < PUTS; i++)
        if (!trace_queue_put(many->queue, make(i, record)))
            atomic_fetch_add(&many->dropped, 1);
    return NULL;
}

static void test_queue_threads(void)
{
    struct many many = {.queue = trace_queue_new(65536)};
    pthread_t threads[PUTTERS];
    char out[RECORD_MAX];
    unsigned taken = 0, broken = 0;
    uint32_t number;
    int64_t until_ns = clock_now_ns() + 60 * NS_PER_S;
    for (int i = 0; i < PUTTERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, put_many, &many), 0);
    while (taken + atomic_load(&many.dropped) < PUTTERS * PUTS && clock_now_ns() < until_ns) {
        size_t length = trace_queue_take(many.queue, out, sizeof out);
        if (length == 0)
            continue;
        broken += !is_whole((struct text){out, length}, &number);
        taken++;
    }
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(broken, 0);
    CU_ASSERT(taken > 0);
    CU_ASSERT_EQUAL(taken + atomic_load(&many.dropped), PUTTERS * PUTS);
    CU_ASSERT_TRUE(trace_queue_is_empty(many.queue));
    trace_queue_free(many.queue);
}

/* ---- the recorder ---- */

static void keep_some(unsigned count, const char *order_id)
{
    for (unsigned i = 0; i < count; i++) {
        struct arena arena;
        struct trace_part part;
        int64_t now_ns = clock_now_ns();
        arena_init(&arena, 65536);
        trace_part_begin(&part, &arena, NULL, TEXT("POST /v1/orders"), SPAN_SERVER, now_ns);
        trace_text(&part, part.root, "tandem.order.id", text_of(order_id));
        trace_end(&part, trace_begin(&part, TEXT("query"), SPAN_CLIENT, now_ns), now_ns + 10);
        if (trace_part_end(&part, now_ns + 1000))
            trace_part_keep(&part);
        arena_fini(&arena);
    }
}

static void open_recorder(size_t queue_bytes)
{
    struct trace_opts opts = {
        .resource = {.service_name = "test"},
        .memory_path = scratch_path(&scratch, "y.db-trace"),
        .memory_bytes = 256 * 1024,
        .queue_max_bytes = queue_bytes,
    };
    CU_ASSERT_EQUAL_FATAL(trace_open(&opts), ERR_NONE);
    trace_sampling_set(&(struct trace_sampling){.enabled = true, .sampler = TRACE_ALWAYS_ON});
}

struct wanted {
    const char *of;
    size_t count;
    struct arena arena;
    struct trace_summary *summaries;
};

static bool is_known(void *context)
{
    struct wanted *wanted = context;
    size_t count;
    arena_reset(&wanted->arena);
    CU_ASSERT_EQUAL_FATAL(trace_recent(text_of(wanted->of), 100, &wanted->arena, &wanted->summaries, &count), ERR_NONE);
    return count == wanted->count;
}

static void test_recorder(void)
{
    struct wanted wanted = {.count = 5};
    struct trace_stats before, after;
    struct buf json;
    scratch_init(&scratch);
    open_recorder(65536);
    trace_stats(&before);
    arena_init(&wanted.arena, 4 * 1024 * 1024);
    buf_init(&json, 1024 * 1024);
    int64_t wall_us = clock_wall_us();
    keep_some(4, "order-1");
    keep_some(1, "order-2");
    CU_ASSERT_TRUE_FATAL(scratch_eventually(is_known, &wanted));
    wanted.of = "order-2";
    wanted.count = 1;
    CU_ASSERT_TRUE_FATAL(is_known(&wanted));
    const struct trace_summary *summary = &wanted.summaries[0];
    CU_ASSERT_TRUE(text_equal_string(summary->root_name, "POST /v1/orders"));
    CU_ASSERT_EQUAL(summary->span_count, 2);
    CU_ASSERT_EQUAL(summary->end_ns - summary->start_ns, 1000);
    CU_ASSERT(summary->start_ns / 1000 >= wall_us - 1000 && summary->start_ns / 1000 <= clock_wall_us() + 1000);
    CU_ASSERT_EQUAL(trace_recall(text_of(summary->trace_id), &wanted.arena, &json), ERR_NONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&json), summary->trace_id));
    CU_ASSERT_EQUAL(trace_recall(TEXT("00000000000000000000000000000001"), &wanted.arena, &json), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(trace_recall(TEXT("xyz"), &wanted.arena, &json), ERR_INVALID);
    trace_stats(&after);
    CU_ASSERT_EQUAL(after.kept - before.kept, 10);
    CU_ASSERT_EQUAL(after.dropped_queue_full, before.dropped_queue_full);
    trace_close(1000);
    keep_some(3, "nobody takes it");
    CU_ASSERT_EQUAL(trace_recent(TEXT_NONE, 10, &wanted.arena, &wanted.summaries, &wanted.count), ERR_NONE);
    CU_ASSERT_EQUAL(wanted.count, 0);
    buf_fini(&json);
    arena_fini(&wanted.arena);
    scratch_fini(&scratch);
}

/* Whoever keeps its hands on the file holds up the thread that writes to it, and nobody else. */
static void test_never_waits(void)
{
    struct trace_stats before, after;
    scratch_init(&scratch);
    open_recorder(65536);
    int fd = open(scratch_path(&scratch, "y.db-trace"), O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000000, .l_len = 1};
    CU_ASSERT_EQUAL_FATAL(fcntl(fd, F_OFD_SETLKW, &lock), 0);
    trace_stats(&before);
    keep_some(5000, "too many");
    trace_stats(&after);
    uint64_t dropped = after.dropped_queue_full - before.dropped_queue_full;
    CU_ASSERT(dropped > 5000);
    close(fd);
    trace_close(10000);
    trace_stats(&after);
    CU_ASSERT_EQUAL(after.kept - before.kept + dropped, 10000);
    trace_sampling_set(&(struct trace_sampling){.enabled = false});
    scratch_fini(&scratch);
}

static void *keep_on(void *context)
{
    keep_some(2000, context);
    return NULL;
}

static void test_recorder_threads(void)
{
    pthread_t threads[PUTTERS];
    struct trace_stats before, after;
    struct wanted wanted = {.of = "thread"};
    scratch_init(&scratch);
    open_recorder(1024 * 1024);
    trace_stats(&before);
    arena_init(&wanted.arena, 4 * 1024 * 1024);
    for (int i = 0; i < PUTTERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, keep_on, (void *)"thread"), 0);
    for (int i = 0; i < 50; i++)
        is_known(&wanted);
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(threads[i], NULL);
    trace_close(10000);
    trace_stats(&after);
    CU_ASSERT_EQUAL(after.kept - before.kept + after.dropped_queue_full - before.dropped_queue_full,
                    2 * 2000 * PUTTERS);
    trace_sampling_set(&(struct trace_sampling){.enabled = false});
    arena_fini(&wanted.arena);
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"the oldest make room, and all that is there is whole", test_wrap},
    {"several have it open, and it outlives them", test_reopen},
    {"damage does no harm", test_damaged},
    {"writers that are killed leave it whole", test_killed},
    {"readers see nothing half-written", test_readers},
    {"a queue that is full takes no more, and goes on", test_queue_full},
    {"many threads put, one takes, nothing is lost uncounted", test_queue_threads},
    {"what is kept is found by trace and by order", test_recorder},
    {"who keeps a trace never waits; what does not fit is counted", test_never_waits},
    {"threads keep traces while others look", test_recorder_threads},
};

int main(void)
{
    return suite_main("trace memory", cases, sizeof cases / sizeof cases[0]);
}
