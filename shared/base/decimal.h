/*
 * Decimal digits, two at a time: numbers and times stand in every line of the log and in every answer.
 *
 * Pure: any thread.
 */
#ifndef TANDEM_BASE_DECIMAL_H
#define TANDEM_BASE_DECIMAL_H

#include <stdint.h>
#include <string.h>

/* What those below may write, whatever the value. */
enum { DECIMAL_MAX_BYTES = 20 };

/* "00" to "99". */
extern const char decimal_pairs[201];

/** Two digits of a value below 100. Returns where they end. */
static inline char *decimal_pair(char *out, uint32_t value)
{
    memcpy(out, decimal_pairs + 2 * (size_t)value, 2);
    return out + 2;
}

/** A number. Returns where it ends. */
char *decimal_write(char *out, int64_t value);

/** Nanoseconds as milliseconds, cut to the microsecond, without zeros at the end: "1.25", "3". Likewise. */
char *decimal_write_milliseconds(char *out, int64_t ns);

#endif
