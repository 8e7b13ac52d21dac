/*
 * The memory of recent traces: records (telemetry/trace_record.h) in a file that the processes of a service share,
 * the oldest of which make room for new ones.
 *
 * It is a ring in a mapped file. Who writes holds a lock on the file, which the kernel drops with its holder, and
 * changes things in such an order that whoever is killed in the middle leaves all records whole: first the old ones are
 * given up, then the new one is written where they were, then it is shown. Who reads takes no lock: it copies, and
 * afterwards leaves out what was given up meanwhile.
 *
 * The file holds nothing worth keeping. It has its size from whoever opened it while nobody else had it open.
 *
 * Threads: trace_memory_put() by one thread, trace_memory_read() by any.
 */
#ifndef TANDEM_TELEMETRY_TRACE_MEMORY_H
#define TANDEM_TELEMETRY_TRACE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

enum { TRACE_MEMORY_LEAST_BYTES = 64 * 1024, TRACE_MEMORY_MOST_BYTES = 64 * 1024 * 1024 };

struct trace_memory;

/** Opens the file, which is made when it is missing. ERR_IO, ERR_MEMORY; ERR_STORAGE_FULL. */
enum err must_check trace_memory_open(const char *path, size_t size_bytes, struct trace_memory **ret);

/** NULL is fine. */
void trace_memory_close(struct trace_memory *memory);

/** Adds a record. Waits while another process does so. False for one that takes more than a quarter of it, and when
 *  the lock cannot be had. */
bool trace_memory_put(struct trace_memory *memory, struct text record);

/** Keeps the lock from one record to the next, until it is released; nothing else may be waited for meanwhile. */
void trace_memory_hold(struct trace_memory *memory);
void trace_memory_release(struct trace_memory *memory);

/** Copies all records to out, which is emptied; buf_check() says whether they fitted. */
void trace_memory_read(struct trace_memory *memory, struct buf *out);

/** Cuts the next record off what was read, the oldest first; false at the end. */
bool trace_memory_next(struct text *rest, struct text *ret_record);

/** How much trace_memory_read() may give. */
size_t trace_memory_size(const struct trace_memory *memory);

#endif
