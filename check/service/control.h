/*
 * tandemctl, run beside the running system with its settings; and every event that the system has emitted, held against
 * its schema.
 */
#ifndef TANDEM_CHECK_SERVICE_CONTROL_H
#define TANDEM_CHECK_SERVICE_CONTROL_H

#include <stdbool.h>

enum { CONTROL_OUTPUT_MAX = 256 * 1024 };

/** Runs it with these arguments, up to a NULL; what it said, on both outputs, is in control_said. Whether its exit
 *  status is 0. */
bool control_run(const char *const *arguments);
extern char control_said[CONTROL_OUTPUT_MAX];

#define CONTROL(...) control_run((const char *const[]){__VA_ARGS__, NULL})

/** Validates all events on the bus of the running system, which must have some of each of these types (up to a NULL).
 *  Fails the case; skips it where there is no validator. */
void control_validate_events(const char *const *types);

#endif
