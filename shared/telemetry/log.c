#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fence.h"
#include "telemetry/log.h"
#include "telemetry/log_format.h"
#include "telemetry/log_head.h"
#include "telemetry/log_record.h"
#include "telemetry/log_repeat.h"
#include "telemetry/log_writer.h"
#include "telemetry/trace.h"

enum { NAME_SIZE = 64, BUFFER_BYTES = 256 * 1024, FLUSH_MS = 100 };

/* One log a process: it is what assertions of any module and every thread write to. */
static struct {
    struct log_writer *writer;      /* NULL: not open */
    unsigned generation;            /* of the writer; rings of an earlier one are not used again */
    char service[NAME_SIZE], instance[NAME_SIZE];
    enum log_format format;
    bool coloured;
    size_t buffer_bytes;
} logger;

static atomic_int least_level[LOG_MODULES] = {[0 ... LOG_MODULES - 1] = LOG_INFO};

static atomic_uint sample;

/* What a thread that logs keeps, from its first line to its end. */
struct log_thread {
    struct log_ring *ring;
    int64_t latest_ns;              /* when its latest line was logged: the next one is not older */
    struct buf head;
    struct log_heads heads;
};

static _Thread_local struct log_thread *own_thread;
static _Thread_local struct log_record_context own_context;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;

/* ---- names ---- */

static const char *const level_names[LOG_LEVELS] = {"debug", "info", "warning", "error", "critical"};
static const char *const module_names[LOG_MODULES] = {
    [LOG_MODULE_BASE] = "base",   [LOG_MODULE_CONF] = "conf",     [LOG_MODULE_STATE] = "state",
    [LOG_MODULE_NET] = "net",     [LOG_MODULE_EVENTS] = "events", [LOG_MODULE_APP] = "app",
    [LOG_MODULE_USER] = "user",   [LOG_MODULE_ORDER] = "order",   [LOG_MODULE_INVENTORY] = "inventory",
};
static const char *const format_names[] = {[LOG_JSON] = "json", [LOG_TERMINAL] = "text"};

const char *log_level_name(enum log_level level)
{
    assert(level < LOG_LEVELS);
    return level_names[level];
}

const char *log_module_name(enum log_module module)
{
    assert(module < LOG_MODULES);
    return module_names[module];
}

enum err log_level_of(struct text name, enum log_level *ret)
{
    for (enum log_level level = 0; level < LOG_LEVELS; level++)
        if (text_equal_string(name, level_names[level])) {
            *ret = level;
            return ERR_NONE;
        }
    return err_because(ERR_INVALID, "no such log level");
}

enum err log_format_of(struct text name, enum log_format *ret)
{
    for (enum log_format format = LOG_JSON; format <= LOG_TERMINAL; format++)
        if (text_equal_string(name, format_names[format])) {
            *ret = format;
            return ERR_NONE;
        }
    return err_because(ERR_INVALID, "no such log format");
}

/* ---- levels ---- */

void log_levels_set(const enum log_level levels[static LOG_MODULES])
{
    for (enum log_module module = 0; module < LOG_MODULES; module++)
        atomic_store_explicit(&least_level[module], (int)levels[module], memory_order_relaxed);
}

void log_level_set(enum log_level level)
{
    enum log_level levels[LOG_MODULES];

    for (enum log_module module = 0; module < LOG_MODULES; module++)
        levels[module] = level;
    log_levels_set(levels);
}

bool log_enabled(enum log_module module, enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level[module], memory_order_relaxed);
}

void log_sample_set(unsigned every)
{
    atomic_store_explicit(&sample, every, memory_order_relaxed);
}

/* ---- the context ---- */

void log_context_set(const struct log_context *context)
{
    static const struct log_context none;

    log_record_context_set(context ? context : &none, &own_context);
}

/* ---- threads ---- */

static void drop_ring(struct log_thread *thread)
{
    if (!thread->ring)
        return;
    atomic_store(&thread->ring->abandoned, true);
    log_ring_unref(thread->ring);
    thread->ring = NULL;
}

static void thread_free(void *context)
{
    struct log_thread *thread = context;

    drop_ring(thread);
    buf_fini(&thread->head);
    free(thread);
    own_thread = NULL;
}

static void make_key(void)
{
    pthread_key_create(&thread_key, thread_free);
}

static struct log_thread *this_thread(void)
{
    if (own_thread)
        return own_thread;
    struct log_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    pthread_once(&once, make_key);
    buf_init(&thread->head, LOG_LINE_MAX_BYTES);
    pthread_setspecific(thread_key, thread);
    own_thread = thread;
    return thread;
}

/* The thread's ring to the writer of now. */
static struct log_ring *this_ring(struct log_thread *thread)
{
    if (thread->ring && thread->ring->generation == logger.generation)
        return thread->ring;
    drop_ring(thread);
    if ((thread->ring = log_ring_new(logger.buffer_bytes))) {
        thread->ring->generation = logger.generation;
        log_writer_add(logger.writer, thread->ring);
    }
    return thread->ring;
}

/* ---- writing ---- */

static const char *named(const char *name)
{
    return name[0] ? name : NULL;
}

static struct text head_of(struct log_thread *thread, const struct log_what *what)
{
    struct log_head *head = log_head_find(&thread->heads, what, logger.generation);
    if (head->length > 0)
        return (struct text){head->at, head->length};
    buf_reset(&thread->head, LOG_LINE_MAX_BYTES);
    log_head_format(what, named(logger.service), named(logger.instance), &thread->head);
    if (buf_check(&thread->head))
        return TEXT_NONE;
    log_head_keep(head, what, logger.generation, buf_text(&thread->head));
    return buf_text(&thread->head);
}

static size_t pack(const struct log_what *what, const struct log_field *fields, size_t count, char *out, size_t size)
{
    struct trace_ids own;
    bool is_own = !log_record_context_has_trace(&own_context) && trace_here_ids(&own);

    return log_record_write(what, &own_context, is_own ? &own : NULL, fields, count, out, size);
}

/* The line of a record. Of what there is no memory for there is no line. */
static size_t format(struct text record, int64_t now_ns, char out[static LOG_LINE_ROOM_BYTES])
{
    struct log_thread *thread = this_thread();
    struct log_event event;

    log_record_read(record, &event);
    struct text head = thread ? head_of(thread, &event.what) : TEXT_NONE;
    if (!head.at)
        return 0;
    const struct log_line line = {
        .event = &event,
        .time_us = clock_wall_us_at(now_ns),
        .service = named(logger.service),
        .head = head,
        .coloured = logger.coloured,
    };
    return log_line_format(&line, logger.format, out);
}

static size_t format_now(const struct log_what *what, const struct log_field *fields, size_t count,
                         char out[static LOG_LINE_ROOM_BYTES])
{
    char record[LOG_RECORD_MAX_BYTES];

    return format((struct text){record, pack(what, fields, count, record, sizeof record)}, clock_now_ns(), out);
}

static void write_directly(struct text line)
{
    while (line.length > 0) {
        ssize_t wrote = write(STDERR_FILENO, line.at, line.length);

        if (wrote <= 0)
            return;   /* nobody is left to be told */
        line.at += wrote;
        line.length -= (size_t)wrote;
    }
}

/* FNV-1a, so that all services, and all processes of each, choose the same requests. */
static bool in_sample(struct text request_id)
{
    unsigned every = atomic_load_explicit(&sample, memory_order_relaxed);
    uint32_t hash = 2166136261U;

    if (every <= 1 || !request_id.at)
        return true;
    for (size_t i = 0; i < request_id.length; i++)
        hash = (hash ^ (unsigned char)request_id.at[i]) * 16777619U;
    return hash % every == 0;
}

/* Whether it may be written; the writer has to know when the first line is held back, since it sums them up. */
static bool admitted(const struct log_what *what, int64_t now_ns)
{
    bool first = false;

    if (what->each)
        return what->level > LOG_INFO || in_sample(log_record_context_request_id(&own_context));
    if (log_repeat_admits(what, now_ns, &first))
        return true;
    if (first)
        log_writer_wake(logger.writer, false);
    return false;
}

/* Before the log is open, and after. */
static void log_directly(const struct log_what *what, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_ROOM_BYTES];

    write_directly((struct text){line, format_now(what, fields, count, line)});
}

/* What is long, or would not lie in one piece, is packed elsewhere first. */
static bool put_whole(struct log_ring *ring, int64_t now_ns, const struct log_what *what,
                      const struct log_field *fields, size_t count)
{
    char record[LOG_RECORD_MAX_BYTES];
    size_t length = pack(what, fields, count, record, sizeof record);

    return log_ring_put(ring, now_ns, (unsigned)what->level, (struct text){record, length});
}

static bool put(struct log_ring *ring, int64_t now_ns, const struct log_what *what, const struct log_field *fields,
                size_t count)
{
    char *room = log_ring_room(ring, LOG_RECORD_SMALL_BYTES);
    size_t length = room ? pack(what, fields, count, room, LOG_RECORD_SMALL_BYTES) : 0;

    if (length == 0)
        return put_whole(ring, now_ns, what, fields, count);
    log_ring_commit(ring, now_ns, (unsigned)what->level, length);
    return true;
}

static int64_t not_before(struct log_thread *thread, int64_t now_ns)
{
    return thread->latest_ns = now_ns < thread->latest_ns ? thread->latest_ns : now_ns;
}

void log_write(const struct log_what *what, int64_t now_ns, const struct log_field *fields, size_t count)
{
    struct log_writer *writer = logger.writer;

    if (!writer) {
        log_directly(what, fields, count);
        return;
    }
    now_ns = now_ns ? now_ns : clock_now_ns();
    if (!admitted(what, now_ns))
        return;
    struct log_thread *thread = this_thread();
    struct log_ring *ring = thread ? this_ring(thread) : NULL;
    bool is_put = ring && put(ring, not_before(thread, now_ns), what, fields, count);
    if (!is_put)
        log_writer_count_dropped(writer);
    log_writer_wake(writer, !is_put || what->level >= LOG_ERROR || log_ring_half_full(ring));
}

/* ---- open and close ---- */

/* These two are called by the writer, whose lines go to the sink without a ring. */

static size_t tell_dropped(uint64_t dropped, char out[static LOG_LINE_ROOM_BYTES])
{
    static const struct log_what what = {LOG_MODULE_BASE, LOG_WARNING, "log lines were dropped", true};

    return format_now(&what, &LOG_INT("dropped", (int64_t)dropped), 1, out);
}

static size_t tell_repeated(bool at_end, char out[static LOG_LINE_ROOM_BYTES], unsigned *ret_level)
{
    struct log_what held;
    uint64_t count;

    if (!log_repeat_take(clock_now_ns(), at_end, &held, &count))
        return 0;
    const struct log_what what = {held.module, held.level, "repeated", true};
    const struct log_field fields[] = {LOG_STRING("repeated_msg", held.message), LOG_INT("count", (int64_t)count)};
    *ret_level = (unsigned)held.level;
    return format_now(&what, fields, sizeof fields / sizeof fields[0], out);
}

/* https://no-color.org: any value but an empty one. */
static bool wants_colour(const struct log_opts *opts)
{
    const char *no_colour = getenv("NO_COLOR");

    return opts->format == LOG_TERMINAL && opts->sink == LOG_TO_FD && isatty(opts->fd) && !(no_colour && *no_colour);
}

enum err log_open(const struct log_opts *opts)
{
    struct log_writer_opts writer = {
        .sink = {opts->sink, opts->fd, opts->path, logger.service},
        .flush_ms = opts->flush_ms ? opts->flush_ms : FLUSH_MS,
        .format = format,
        .notice = tell_dropped,
        .summary = tell_repeated,
    };

    assert(!logger.writer);
    snprintf(logger.service, sizeof logger.service, "%s", opts->service ? opts->service : "");
    snprintf(logger.instance, sizeof logger.instance, "%s", opts->instance ? opts->instance : "");
    logger.format = opts->format;
    logger.coloured = wants_colour(opts);
    logger.buffer_bytes = opts->buffer_bytes ? opts->buffer_bytes : BUFFER_BYTES;
    logger.generation++;
    fence_init();
    log_level_set(opts->level);
    log_repeat_set(opts->repeat_burst);
    log_sample_set(opts->sample);
    return log_writer_open(&writer, &logger.writer);
}

void log_reopen(void)
{
    if (logger.writer)
        log_writer_reopen(logger.writer);
}

void log_close(unsigned timeout_ms)
{
    if (!logger.writer)
        return;
    log_writer_close(logger.writer, timeout_ms);
    logger.writer = NULL;
}

bool log_flush(unsigned timeout_ms)
{
    return !logger.writer || log_writer_flush(logger.writer, timeout_ms);
}

void log_stats(struct log_stats *ret)
{
    *ret = (struct log_stats){0, 0};
    if (logger.writer)
        log_writer_stats(logger.writer, &ret->written, &ret->dropped);
}
