/*
 * The thread that makes lines of what is in the rings, and carries them to the sink.
 *
 * Rings are added from any thread, without a lock; only the writer takes them off. It sleeps for good while there is
 * nothing to write; the first line wakes it, and as long as lines come it then writes what has gathered every flush_ms,
 * and at once when a line is urgent. While repeats wait to be summed up it looks once a second.
 *
 * A write never begins before the sink is ready, and is small where a large one could block (pipes, terminals), so that
 * the writer can be ended while the sink stalls. A pipe gets whole lines in one write wherever they fit PIPE_BUF: other
 * processes may share it.
 */
#ifndef TANDEM_TELEMETRY_LOG_WRITER_H
#define TANDEM_TELEMETRY_LOG_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "telemetry/log_line.h"
#include "telemetry/log_ring.h"
#include "telemetry/log_sink.h"
#include "telemetry/metric.h"

struct log_writer;

struct log_writer_opts {
    struct log_sink_opts sink;
    unsigned flush_ms;
    /* Each of these makes a line, and returns its length; 0: there is none. */
    size_t (*format)(struct text record, int64_t order_ns, char out[static LOG_LINE_ROOM_BYTES]);   /* of a ring's */
    size_t (*notice)(uint64_t dropped, char out[static LOG_LINE_ROOM_BYTES]);
    /* The next one that sums up repeats, if that is due (at_end: if there is any), and its level. */
    size_t (*summary)(bool at_end, char out[static LOG_LINE_ROOM_BYTES], unsigned *ret_level);
};

/** ERR_MEMORY, ERR_IO. */
enum err must_check log_writer_open(const struct log_writer_opts *opts, struct log_writer **ret);

/** Writes what waits, for at most timeout_ms, ends the thread, and drops the rings. */
void log_writer_close(struct log_writer *writer, unsigned timeout_ms);

/** Has the sink opened anew before the next line is written. Any thread. */
void log_writer_reopen(struct log_writer *writer);

/** Takes over the writer's half of a ring. Any thread. */
void log_writer_add(struct log_writer *writer, struct log_ring *ring);

/** Something was put into a ring. Any thread. */
void log_writer_wake(struct log_writer *writer, bool urgent);

/** Something was not. Any thread. */
void log_writer_count_dropped(struct log_writer *writer);

/** Waits until what is in the rings now is written; false when timeout_ms ran out. Any thread. */
bool log_writer_flush(struct log_writer *writer, unsigned timeout_ms);

/** Has what is written and what is dropped counted there, by every writer of this process from now on. Any thread. */
void log_writer_count_in(struct metric_series written, struct metric_series dropped);

void log_writer_stats(struct log_writer *writer, uint64_t *ret_written, uint64_t *ret_dropped);

#endif
