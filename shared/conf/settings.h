/*
 * Settings: the values of all options, gathered from layers into one immutable snapshot.
 *
 * Layers, later ones winning:
 *   default       the option table (conf/option_table.h)
 *   file          FILE, in libconfig's format: `log = { level = "debug"; };` sets log.level
 *   TANDEM_ENV    tandem.$TANDEM_ENV.conf beside FILE, when that variable is set; it must then be there
 *   conf.d        conf.d/NAME.conf beside FILE, in the order of their names (as bytes)
 *   environment   OTEL_SERVICE_NAME=shop, and other names that are not ours (conf/option_alias.h); over those,
 *                 TANDEM_LOG_LEVEL=debug
 *   argument      --set log.level=debug
 * One set of files serves all programs of a machine. What only one of them is to have stands under its name:
 * `service = { order = { db = { path = "/var/lib/tandem/order.db"; }; }; };` and wins over the rest of that file. A
 * later file wins over all of an earlier one, its sections for services included.
 *
 * With conf.public_key_file each file needs its minisign signature beside it, FILE.minisig (conf/signature.h). That
 * option cannot be in a file, since whoever can change an unsigned file could take it out.
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
#include "conf/option_table.h"

struct settings;
struct signature_key;

/*
 * A rule: what no table can tell of a value, whether the program can start with it. check is what the start itself
 * reads it with, so that the one refuses what the other does; it does nothing but look. A fault is told at the option,
 * or at the one that wants it where somebody said that one later: log.file is missing since log.sink is "file". ERR_IO
 * is of a file that settings name and that cannot be read.
 */
struct settings_rule {
    enum option_id option, wanted_by;     /* OPTIONS: by nothing else */
    enum err (*check)(const struct settings *settings, enum option_id option, const char *service);
};

/* A table of rules, for all services or for one of them. */
struct settings_rules {
    const struct settings_rule *list;
    size_t count;
};

enum { SETTINGS_RULES_MAX = 2 };

struct settings_opts {
    const char *service;              /* whose sections of the files count: "order"; NULL for none */
    const char *file;                 /* NULL: no files */
    char *const *environment;         /* as environ; NULL: none */
    const char *const *overrides;     /* "log.level=debug" */
    size_t override_count;
    const struct settings *running;   /* NULL at the start; see below */
    struct settings_rules rules[SETTINGS_RULES_MAX];   /* empty ones for who only looks at a few options */
    bool elsewhere;                   /* the files that settings name are on another machine: rules pass them over */
};

/**
 * Reads all layers. ERR_CONFIG when anything is wrong: every fault is then a line in faults, with file and line where
 * there are any, and the nearest known name for an unknown one; what rules find is told once all else is well.
 * ERR_MEMORY.
 *
 * To load again what a process runs with, give its settings as `running`: files are then verified with the key that
 * was read at the start, and options that need a restart keep the value that they run with.
 */
enum err must_check settings_load(const struct settings_opts *opts, struct buf *faults, struct settings **ret);

struct settings *settings_ref(struct settings *settings);
/** NULL is fine. */
void settings_unref(struct settings *settings);

/* The value of an option, which is of that type. Texts live as long as the snapshot. */
const char *settings_text(const struct settings *settings, enum option_id option);
int64_t settings_int(const struct settings *settings, enum option_id option);
bool settings_bool(const struct settings *settings, enum option_id option);

/** Whether the value took the place of another one of the settings it was loaded over. */
bool settings_changed(const struct settings *settings, enum option_id option);

/** Whether the layers say something else, which needs a restart to take effect. */
bool settings_awaits_restart(const struct settings *settings, enum option_id option);

/** SHA-256, in hexadecimal, of "path = value\n" of every option in the order of the table: two processes with the same
 *  digest run with the same settings. What secret files hold is no part of it. */
const char *settings_digest(const struct settings *settings);

/** When it was loaded, in wall time. */
int64_t settings_loaded_us(const struct settings *settings);

/** Writes every value in the form of a file, each with its help, and the layer (and file and line) it came from. */
void settings_print(const struct settings *settings, struct buf *out);

#endif
