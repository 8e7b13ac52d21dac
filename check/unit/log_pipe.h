/*
 * A log whose sink is a pipe, and what comes out of it.
 *
 * Threads: one.
 */
#ifndef TANDEM_CHECK_UNIT_LOG_PIPE_H
#define TANDEM_CHECK_UNIT_LOG_PIPE_H

#include <stddef.h>

#include "telemetry/log.h"

enum { LOG_PIPE_BYTES = 1 << 20, LOG_PIPE_WAIT_MS = 10000 };

extern int log_pipe[2];
extern char log_pipe_text[LOG_PIPE_BYTES];   /* what was read last */

/** Opens the log on a new pipe; the rest of the options is the caller's. */
void log_pipe_open(struct log_opts opts);

/** Closes both, and reads what is left. */
void log_pipe_close(void);

/** What is in the pipe now; and that after all that was logged so far has come. */
const char *log_pipe_read(void);
const char *log_pipe_lines(void);

/** How often it stands there. */
size_t log_pipe_count(const char *text, const char *what);

#endif
