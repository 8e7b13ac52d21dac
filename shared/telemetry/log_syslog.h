/*
 * Lines as the local syslog takes them (what syslog(3) sends to /dev/log): "<30>Nov 23 18:00:00 tandem-order[77]: …".
 *
 * Knows neither the log nor its levels: the names of <syslog.h> are those of telemetry/log.h.
 */
#ifndef TANDEM_TELEMETRY_LOG_SYSLOG_H
#define TANDEM_TELEMETRY_LOG_SYSLOG_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/** A socket to the one at path. ERR_IO with a cause. */
enum err must_check log_syslog_connect(const char *path, int *ret_fd);

/** Sends a line, without its newline, as one datagram of facility daemon. level counts up from debug, to critical.
 *  As send(2), and never blocks. */
ssize_t log_syslog_send(int fd, unsigned level, const char *service, const char *line, size_t length);

#endif
