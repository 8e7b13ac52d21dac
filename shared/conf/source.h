/*
 * Sources: which files the settings are read from, and their bytes.
 *
 * Used by one thread at a time. Everything lives in the arena that was given.
 */
#ifndef TANDEM_CONF_SOURCE_H
#define TANDEM_CONF_SOURCE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/signature.h"

enum { SOURCES_MAX = 256, SOURCE_MAX_BYTES = 1024 * 1024 };

/* The folder beside the first file, and how the names in it end that are read. */
#define SOURCE_FOLDER "conf.d"
#define SOURCE_SUFFIX ".conf"

struct source {
    const char *path;
    const char *layer;       /* its name, for people */
    const char *named_by;    /* the variable that asks for it, or NULL */
};

struct sources {
    struct source list[SOURCES_MAX];   /* in the order in which they are read */
    size_t count;
    const char *folder;                /* conf.d, whether it is there or not; NULL without a file */
};

/** What TANDEM_ENV is; NULL when it is not set, or empty. */
const char *source_environment(char *const *environment);

/**
 * Finds the files: `file` itself, tandem.$TANDEM_ENV.conf and conf.d beside it. Whether those that were named are there
 * is not looked at yet. ERR_CONFIG for a TANDEM_ENV that is no word of [a-z0-9-] or has no file to stand beside, for a
 * conf.d that cannot be read or has too many files; ERR_MEMORY. file and environment may be NULL.
 */
enum err must_check sources_find(const char *file, char *const *environment, struct arena *arena, struct sources *ret);

/**
 * Reads a file into out, which becomes zero-terminated by buf_string(). With a key the bytes are verified by the
 * signature beside it: what is then in out is what was verified. ERR_CONFIG with a cause that does not name the file.
 */
enum err must_check source_read(const char *path, const struct signature_key *key, struct buf *out);

#endif
