/*
 * Clocks: monotonic for deadlines and durations, wall time for what is stored and shown. Any thread.
 */
#ifndef TANDEM_BASE_CLOCK_H
#define TANDEM_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define US_PER_S INT64_C(1000000)

/* "2026-11-23T17:05:09.123456Z" and its zero */
enum { CLOCK_RFC3339_SIZE = 28 };

/** Monotonic nanoseconds; never goes backwards. */
int64_t clock_now_ns(void);

/** Wall time: microseconds since 1970-01-01 UTC, as stored in databases. */
int64_t clock_wall_us(void);

/** The same as of the kernel's last tick, some milliseconds ago, for a fifth of the cost. */
int64_t clock_wall_coarse_us(void);

/** Wall time less monotonic time, such that processes that each find out for themselves agree. */
int64_t clock_wall_offset_ns(void);

/** The wall time of a moment that clock_now_ns() told just now, without asking for it: what is set on the clock shows
 *  within CLOCK_OFFSET_KEPT_NS. */
enum { CLOCK_OFFSET_KEPT_NS = 10000000 };
int64_t clock_wall_us_at(int64_t now_ns);

/** Processor time used by this process so far, in nanoseconds. */
int64_t clock_cpu_ns(void);

/** Writes wall time as RFC 3339 in UTC with microseconds, for the years 0000 to 9999; returns out. */
char *clock_rfc3339(int64_t wall_us, char out[static CLOCK_RFC3339_SIZE]);

/** Reads RFC 3339 with any offset and up to nine decimals (cut to microseconds). ERR_MALFORMED otherwise. */
enum err must_check clock_parse_rfc3339(struct text text, int64_t *ret_wall_us);

#endif
