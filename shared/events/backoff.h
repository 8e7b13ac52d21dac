/*
 * Pauses between tries: they double from the first to the longest, and half of each is left to chance so that those
 * who failed together do not try again together. Pure; any thread.
 */
#ifndef TANDEM_EVENTS_BACKOFF_H
#define TANDEM_EVENTS_BACKOFF_H

/** The pause after so many failed attempts (from 1), in milliseconds: from half of the full pause to all of it. */
unsigned backoff_ms(unsigned attempts, unsigned first_ms, unsigned max_ms);

#endif
