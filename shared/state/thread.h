/*
 * Threads of the library: named, and deaf to signals, which belong to the main thread.
 */
#ifndef TANDEM_STATE_THREAD_H
#define TANDEM_STATE_THREAD_H

#include <pthread.h>

#include "base/err.h"

/** Starts a thread that the caller joins. name shows in tools and is cut at 15 bytes. ERR_MEMORY. */
enum err must_check thread_start(pthread_t *ret, const char *name, void *(*run)(void *), void *context);

#endif
