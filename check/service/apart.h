/*
 * A network namespace with one line to this one, which can be cut: another machine, as far as the network goes. It ends
 * with the test, however that does. Needs root, and a kernel that has such. One a process.
 */
#ifndef TANDEM_CHECK_SERVICE_APART_H
#define TANDEM_CHECK_SERVICE_APART_H

#include <stdbool.h>

#include "base/err.h"

/** Makes it. With a cause where that cannot be done. log: for what the programs that do it say. */
enum err must_check apart_start(const char *log);
void apart_stop(void);

/** The addresses at the two ends of the line. */
const char *apart_address_here(void);
const char *apart_address_there(void);

/** The beginning of a command that runs there: up to `max` words are put, how many is returned. */
unsigned apart_prefix(const char **words, unsigned max);

/** Cuts the line, or mends it. */
enum err must_check apart_cut(bool cut);

#endif
