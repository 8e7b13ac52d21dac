/* The exporter without memory: each allocation of ours fails in turn, alone and with all that follow. The linker puts
 * the functions below in the place of the allocator's (--wrap). */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/exporting.h"

enum { WALK_MAX = 1000, OUT_MAX_BYTES = 65536 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

/* How many more succeed; negative: it has failed. Counted on the thread that is meant only. */
static atomic_int left;
static enum { NOBODY, MAIN, SENDER } _Atomic meant;
static atomic_bool all_after;
static _Thread_local bool is_main;

static bool is_meant(void)
{
    char name[16] = "";
    int now = atomic_load(&meant);
    if (now == SENDER && !is_main)
        pthread_getname_np(pthread_self(), name, sizeof name);
    return now == MAIN ? is_main : strcmp(name, "traces") == 0;
}

static bool fails(void)
{
    if (!is_meant())
        return false;
    int before = atomic_fetch_sub(&left, 1);
    return before == 0 || (before < 0 && atomic_load(&all_after));
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

static void arm(int who, int n, bool all)
{
    is_main = true;
    atomic_store(&left, n);
    atomic_store(&all_after, all);
    atomic_store(&meant, who);
}

/* Whether one has failed. */
static bool disarm(void)
{
    atomic_store(&meant, NOBODY);
    return atomic_load(&left) < 0;
}

/* ---- encoders ---- */

static void test_encoders(void)
{
    struct span span = spans_full(1);
    for (int all = 0; all < 2; all++) {
        bool failed = true;
        for (int n = 0; failed && n < WALK_MAX; n++) {
            struct buf out;
            buf_init(&out, OUT_MAX_BYTES);
            arm(MAIN, n, all);
            otlp_write_protobuf(&spans_resource, &span, 1, &out);
            otlp_write_json(&spans_resource, &span, 1, &out);
            failed = disarm();
            CU_ASSERT_EQUAL(out.failed, failed);
            buf_fini(&out);
        }
        CU_ASSERT_FALSE(failed);
    }
}

/* ---- the exporter ---- */

static void test_open(void)
{
    exporting_begin();
    exporting.opts.headers = secret_of(TEXT("a=1,b=2"));
    for (int all = 0; all < 2; all++) {
        bool failed = true;
        for (int n = 0; failed && n < WALK_MAX; n++) {
            arm(MAIN, n, all);
            enum err err = otlp_exporter_open(&exporting.opts, &exporting.exporter);
            failed = disarm();
            CU_ASSERT_EQUAL(err, failed ? ERR_MEMORY : ERR_NONE);
            if (!err)
                otlp_exporter_close(exporting.exporter, 0);
            exporting.exporter = NULL;
        }
        CU_ASSERT_FALSE(failed);
    }
    exporting_end();
}

/* All or none, and what was not taken is counted. */
static void test_add(void)
{
    struct span part[5];
    uint64_t lost = 0;
    for (unsigned i = 0; i < 5; i++)
        part[i] = spans_full(i + 1);
    exporting_begin();
    exporting.opts.batch_max = 2;
    exporting_open();
    for (int all = 0; all < 2; all++) {
        bool failed = true;
        for (int n = 0; failed && n < WALK_MAX; n++) {
            arm(MAIN, n, all);
            bool taken = otlp_exporter_add(exporting.exporter, part, 5);
            failed = disarm();
            lost += failed ? 5 : 0;
            CU_ASSERT_EQUAL(taken, !failed);
            CU_ASSERT_EQUAL(exporting_stats().dropped_queue_full, lost);
        }
        CU_ASSERT_FALSE(failed);
    }
    CU_ASSERT(lost > 0);
    CU_ASSERT(COMES(exported, 10));
    exporting_end();
}

struct end {
    uint64_t spans;
};

static bool has_ended(void *context)
{
    const struct end *end = context;
    struct otlp_exporter_stats now = exporting_stats();
    return now.exported + now.dropped_expired == end->spans;
}

/* What cannot be sent is dropped and counted, and the next is sent. */
static void test_send(void)
{
    uint64_t spans = 0;
    exporting_begin();
    exporting.opts.gzip = true;
    exporting.opts.retry_max_ms = 0;
    exporting_open();
    for (int all = 0; all < 2; all++) {
        bool failed = true;
        for (int n = 0; failed && n < WALK_MAX; n++) {
            arm(SENDER, n, all);
            CU_ASSERT(exporting_add(1));
            CU_ASSERT_FATAL(process_until(has_ended, &(struct end){++spans}, EXPORTING_PATIENCE_MS));
            failed = disarm();
        }
        CU_ASSERT_FALSE(failed);
    }
    CU_ASSERT(exporting_stats().dropped_expired > 0);
    CU_ASSERT(exporting_stats().exported >= 2);
    exporting_end();
}

static const struct suite_case cases[] = {
    {"encoders tell that there was no memory", test_encoders},
    {"an exporter opens whole or not at all", test_open},
    {"spans are added whole or not at all", test_add},
    {"spans that cannot be sent are counted, and the next are sent", test_send},
};

int main(void)
{
    return suite_main("otlp_memory", cases, sizeof cases / sizeof cases[0]);
}
