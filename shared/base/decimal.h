/*
 * Decimal digits, two at a time: numbers and times stand in every line of the log and in every answer.
 *
 * Pure: any thread.
 */
#ifndef TANDEM_BASE_DECIMAL_H
#define TANDEM_BASE_DECIMAL_H

#include <stdint.h>
#include <string.h>

/* "00" to "99". */
extern const char decimal_pairs[201];

/** Two digits of a value below 100, at the beginning of out. Returns where they end. */
static inline char *decimal_pair(char *out, uint32_t value)
{
    memcpy(out, decimal_pairs + 2 * (size_t)value, 2);
    return out + 2;
}

/* Numbers are written backwards from the end of where they are to stay, and so their length is asked first: what is
 * written in pieces and then copied as a whole has to wait for its pieces. */

unsigned decimal_length(int64_t value);
void decimal_before(char *end, int64_t value);

/** Nanoseconds as milliseconds, cut to the microsecond, without zeros at the end: "1.25", "3". */
unsigned decimal_milliseconds_length(int64_t ns);
void decimal_milliseconds_before(char *end, int64_t ns);

#endif
