/*
 * A witness of all that goes through a broker, which keeps no events itself: it belongs to a group of its own, and
 * writes what it is given into a file that the auditor reads as if it were the embedded bus.
 */
#ifndef TANDEM_CHECK_TORTURE_WITNESS_H
#define TANDEM_CHECK_TORTURE_WITNESS_H

#include "base/err.h"

/* Its group, which the services have to know of: bus.groups. */
#define WITNESS_GROUP "witness"

struct witness;

/** url is the broker's, path the file, which is made. */
enum err must_check witness_start(const char *url, const char *password_file, const char *path, struct witness **ret);
/** NULL is fine. */
void witness_stop(struct witness *witness);

#endif
