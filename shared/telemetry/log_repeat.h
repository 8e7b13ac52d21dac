/*
 * Lines that repeat: counted by what they say, held back above a rate, and summed up.
 *
 * A bounded table of counters without a lock, one for each message, level and module that was seen; a second is the
 * window. When the table is full, further messages are not counted, and always admitted.
 */
#ifndef TANDEM_TELEMETRY_LOG_REPEAT_H
#define TANDEM_TELEMETRY_LOG_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "telemetry/log.h"

/** Whether the line may be written; otherwise it was counted, and *ret_first says that nothing waited to be summed up
 *  before. Any thread. */
bool log_repeat_admits(const struct log_what *what, int64_t now_ns, bool *ret_first);

/** Whether anything waits to be summed up. */
bool log_repeat_waits(void);

/** Takes a message whose second is over (at_end: any) and how often it was held back; false when there is none. One
 *  thread: the writer. */
bool log_repeat_take(int64_t now_ns, bool at_end, struct log_what *ret, uint64_t *ret_count);

#endif
