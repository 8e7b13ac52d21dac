/*
 * Debouncing: many changes close together are one.
 *
 * What changes is acted upon when it has been quiet for DEBOUNCE_QUIET_MS, and after DEBOUNCE_MOST_MS in any case, so
 * that somebody who writes all the time cannot put it off for ever. Knows no clock: times are given, in nanoseconds.
 */
#ifndef TANDEM_CONF_DEBOUNCE_H
#define TANDEM_CONF_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

enum { DEBOUNCE_QUIET_MS = 100, DEBOUNCE_MOST_MS = 500 };

struct debounce {
    int64_t first_ns, latest_ns;   /* 0: nothing has changed */
};

/** Something changed. */
void debounce_note(struct debounce *debounce, int64_t now_ns);

/** How long until it is to be acted upon, for poll(2): rounded up, 0 when it is now, -1 when nothing has changed. */
int debounce_left_ms(const struct debounce *debounce, int64_t now_ns);

/** It was acted upon. */
void debounce_clear(struct debounce *debounce);

#endif
