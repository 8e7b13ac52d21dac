/*
 * Load on the machines of check/service/machines.h, over many kept connections: it asks for what needs a call between
 * services each time (tokens of nobody), and for what does not; and counts what was not answered as it should be.
 *
 * Used by main(); the load has threads of its own.
 */
#ifndef TANDEM_CHECK_SERVICE_SCALE_LOAD_H
#define TANDEM_CHECK_SERVICE_SCALE_LOAD_H

#include "base/err.h"

enum { SCALE_LOAD_CONNECTIONS = 16 };

/** Makes the item that is ordered. With a cause. */
enum err must_check scale_load_prepare(void);

/** Begins; it runs well for a while before this returns. */
void scale_load_begin(void);

/** Failures that come a second later than now, or after that, are late. */
void scale_load_calm_soon(void);

/** Lets it run for so long. */
void scale_load_wait_ms(unsigned ms);

/** Ends it; fails the case when more have failed, or any was late. */
void scale_load_end(const char *what, unsigned failed_max);

#endif
