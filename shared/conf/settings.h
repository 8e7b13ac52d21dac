/*
 * Settings: the values of all options, gathered from layers into one immutable snapshot.
 *
 * Layers, later ones winning:
 *   default       the option table (conf/option.h)
 *   file          libconfig; `log = { level = "debug"; };` sets log.level
 *   environment   TANDEM_LOG_LEVEL=debug
 *   argument      --set log.level=debug
 * One file serves all programs of a machine. What only one of them is to have stands under its name:
 * `service = { order = { db = { path = "/var/lib/tandem/order.db"; }; }; };` and wins over the rest of the file.
 *
 * A snapshot is never changed, so any thread may read it; it is freed with its last reference.
 */
#ifndef TANDEM_CONF_SETTINGS_H
#define TANDEM_CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct settings;

struct settings_opts {
    const char *service;              /* whose sections of the file count: "order"; NULL for none */
    const char *file;                 /* NULL: no file */
    char *const *environment;         /* as environ; NULL: none */
    const char *const *overrides;     /* "log.level=debug" */
    size_t override_count;
};

/**
 * Reads all layers. ERR_CONFIG when anything is wrong: every fault is then a line in faults, with file and line where
 * there are any, and the nearest known name for an unknown one. ERR_MEMORY.
 */
enum err must_check settings_load(const struct settings_opts *opts, struct buf *faults, struct settings **ret);

struct settings *settings_ref(struct settings *settings);
/** NULL is fine. */
void settings_unref(struct settings *settings);

/* A value by its path. A path that the table does not have, or has with another type, is a programmer's error. Texts
 * live as long as the snapshot. */
const char *settings_text(const struct settings *settings, const char *path);
int64_t settings_int(const struct settings *settings, const char *path);
bool settings_bool(const struct settings *settings, const char *path);

/** Writes every value in the form of a file, each with its help, and the layer (and file and line) it came from. */
void settings_print(const struct settings *settings, struct buf *out);

#endif
