#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check/harness/suite.h"
#include "check/unit/exporting.h"

enum { CAUSE_SIZE = 256 };

struct exporting exporting;

/* Of the exporter's thread, too. */
static struct {
    pthread_mutex_t lock;
    struct exporting_told now;
    char cause[CAUSE_SIZE];
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_failure(void *context, enum err err, size_t spans_lost)
{
    CU_ASSERT_PTR_EQUAL(context, &told);
    pthread_mutex_lock(&told.lock);
    told.now = (struct exporting_told){told.now.count + 1, told.now.spans_lost + spans_lost, err};
    snprintf(told.cause, sizeof told.cause, "%s", err_cause());
    pthread_mutex_unlock(&told.lock);
}

bool exporting_was_told(const char *part)
{
    pthread_mutex_lock(&told.lock);
    bool found = strstr(told.cause, part) != NULL;
    pthread_mutex_unlock(&told.lock);
    return found;
}

struct exporting_told exporting_told(void)
{
    pthread_mutex_lock(&told.lock);
    struct exporting_told now = told.now;
    pthread_mutex_unlock(&told.lock);
    return now;
}

void exporting_begin(void)
{
    exporting.receiver = otlp_receiver_new();
    snprintf(exporting.endpoint, sizeof exporting.endpoint, "%s/v1/traces", otlp_receiver_url(exporting.receiver));
    told.now = (struct exporting_told){.count = 0};
    told.cause[0] = '\0';
    exporting.opts = (struct otlp_exporter_opts){
        .endpoint = exporting.endpoint, .protocol = OTLP_HTTP_JSON, .resource = spans_resource,
        .queue_max_bytes = EXPORTING_QUEUE_BYTES, .batch_max = 512, .batch_delay_ms = 5, .timeout_ms = 10000,
        .retry_max_ms = 60000, .failed = on_failure, .context = &told,
    };
}

void exporting_open(void)
{
    enum err err = otlp_exporter_open(&exporting.opts, &exporting.exporter);
    if (err)
        printf("# %s\n", err_cause());
    CU_ASSERT_EQUAL_FATAL(err, ERR_NONE);
}

void exporting_end(void)
{
    otlp_exporter_close(exporting.exporter, EXPORTING_CLOSE_MS);
    exporting.exporter = NULL;
    otlp_receiver_free(exporting.receiver);
    exporting.receiver = NULL;
}

bool exporting_add(unsigned number)
{
    struct span span = spans_plain(number);
    return otlp_exporter_add(exporting.exporter, &span, 1);
}

struct otlp_exporter_stats exporting_stats(void)
{
    struct otlp_exporter_stats now;
    otlp_exporter_stats(exporting.exporter, &now);
    return now;
}

struct expected {
    size_t offset;
    uint64_t least;
};

static bool has_come(void *context)
{
    const struct expected *expected = context;
    struct otlp_exporter_stats now = exporting_stats();
    uint64_t value;
    memcpy(&value, (const char *)&now + expected->offset, sizeof value);
    return value >= expected->least;
}

bool exporting_comes(size_t counter_offset, uint64_t least)
{
    return process_until(has_come, &(struct expected){counter_offset, least}, EXPORTING_PATIENCE_MS);
}

size_t exporting_received(void)
{
    struct received received;
    if (!otlp_receiver_spans(exporting.receiver, &received)) {
        printf("# %s\n", err_cause());
        return SIZE_MAX;
    }
    size_t count = received.count;
    received_fini(&received);
    return count;
}
