/*
 * Where metrics are kept: one mapped file that all processes of a service share, so that a scrape of any of them tells
 * of all, and what a process counted outlives it, however it ended.
 *
 * The file has a directory of names (which series there are, and at which slot), a segment of slots for each process
 * that lives, and what is left of those that have ended. A process adds to its own segment only: without a lock, and
 * without waiting for anybody; some of its threads each to slots of their own in it, which count together. It holds a
 * file lock on its segment, which the kernel frees with it. Whoever next looks at the file folds the segments of the
 * dead into what is left, in two steps of which the first counts by one atomic store: killed between any two
 * instructions, nothing is lost and nothing counts twice. What is only true of a living process (gauges) is not folded.
 *
 * The file is made anew, under the same name, when it is of another layout or from before the machine's last start;
 * processes that still use the old one go on with that. Without a path it is the process's own memory.
 *
 * Threads: opened and closed by the main thread while nobody else is here. A segment's slots: any thread. The directory
 * grows under its lock: any thread. For metric.c and what belongs to it.
 */
#ifndef TANDEM_TELEMETRY_METRIC_STORE_H
#define TANDEM_TELEMETRY_METRIC_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum {
    METRIC_SLOTS = 16384,           /* of each segment; memory is touched only as far as series were registered */
    METRIC_PROCESSES_MAX = 16,      /* that have a segment each; further ones share one: what they count is right, but
                                       a gauge that is set is set for all of them */
    METRIC_OWNERS_MAX = 4,          /* threads of a process that have slots of their own beside those of all … */
    METRIC_OWN_SLOTS = 4096,        /* … for the first so many of them */
    METRIC_NAMES_MAX = 2048,
    METRIC_LABELS_SIZE = 240,
};

/* A series. */
struct metric_name {
    uint32_t metric;
    uint32_t slot, slots;           /* the first, and how many it has */
    uint32_t lasting;               /* of them, the first so many are added up when their process has ended */
    char labels[METRIC_LABELS_SIZE];
};

struct metric_store;

/** layout is a number for what the slots mean: who opens the same path has to give the same. ERR_IO,
 *  ERR_STORAGE_FULL (its room is taken at once: it cannot run out later), ERR_BUSY, ERR_MEMORY. */
enum err must_check metric_store_open(const char *path, uint64_t layout, struct metric_store **ret);

/** Gives up the segment; its counts stay, and so does the memory of the slots. NULL is fine. */
void metric_store_close(struct metric_store *store);

/** This process's slots. */
_Atomic int64_t *metric_store_slots(struct metric_store *store);

/** METRIC_OWN_SLOTS of them for one thread alone, which therefore adds to them without the lock of the bus; what is
 *  there counts together with the process's. Threads that take turns may have the same. NULL for a process that shares
 *  a segment. */
_Atomic int64_t *metric_store_own(struct metric_store *store, unsigned owner);

/** What this process has counted in a slot. */
int64_t metric_store_value(const struct metric_store *store, size_t slot);

/** The names so far, in the order they were added; *ret_count of them. They never change. */
const struct metric_name *metric_store_names(const struct metric_store *store, size_t *ret_count);

/** The name, or NULL. */
const struct metric_name *metric_store_find(const struct metric_store *store, uint32_t metric, const char *labels);

/** Finds a name, or adds it with these numbers of slots. ERR_MEMORY when there is no room, ERR_BUSY when another
 *  process keeps the directory for longer than METRIC_LOCK_MS. */
enum { METRIC_LOCK_MS = 50 };
enum err must_check metric_store_name(struct metric_store *store, uint32_t metric, const char *labels, uint32_t slots,
                                      uint32_t lasting, const struct metric_name **ret);

/** Folds the segments of processes that have ended. Never waits: when another process is at it, it is done already. */
void metric_store_tidy(struct metric_store *store);

/** Adds up the slots of all, living and ended, of one moment as to who lives: count numbers from slot 0. */
void metric_store_sum(struct metric_store *store, int64_t *ret_sums, size_t count);

/** The living: calls each with its process id and its slots, this process's among them. */
void metric_store_each(struct metric_store *store,
                       void (*each)(void *context, pid_t pid, _Atomic int64_t *slots), void *context);

/** Slots that have been given to series so far. */
size_t metric_store_used(const struct metric_store *store);

#endif
