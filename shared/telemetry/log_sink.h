/*
 * Where the log's lines end up: a descriptor, a file, or the local syslog. The writer's thread only.
 */
#ifndef TANDEM_TELEMETRY_LOG_SINK_H
#define TANDEM_TELEMETRY_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "telemetry/log.h"

struct log_sink_opts {
    enum log_sink_kind kind;
    int fd;
    const char *path;         /* copied */
    const char *service;      /* for the syslog; outlives the sink */
};

struct log_sink {
    enum log_sink_kind kind;
    int fd;
    char *path;
    const char *service;
    bool is_socket;           /* a descriptor that turned out to be one */
    size_t batch_max;         /* bytes of whole lines that may be written at once; 0: a line at a time */
};

/** ERR_IO with a cause; ERR_MEMORY. */
enum err must_check log_sink_open(const struct log_sink_opts *opts, size_t batch_max, struct log_sink *ret);

/** Of what it opened itself. */
void log_sink_close(struct log_sink *sink);

/** A file by its path again; ERR_IO, and the one that is open is kept. Nothing for what is no file. */
enum err must_check log_sink_reopen(struct log_sink *sink);

/** Writes some of it, as write(2), once poll(2) says that it is ready. The last byte given is a line's newline. */
ssize_t log_sink_write(struct log_sink *sink, unsigned level, const char *bytes, size_t length);

#endif
