/*
 * Options: one table holds every setting there is (conf/option_table.h). What is here asks it.
 *
 * Immutable: any thread.
 */
#ifndef TANDEM_CONF_OPTION_H
#define TANDEM_CONF_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "conf/option_table.h"

enum option_type { OPTION_TEXT, OPTION_INTEGER, OPTION_BOOLEAN };

enum option_effect {
    OPTION_AT_START,     /* a change needs a restart */
    OPTION_LIVE,         /* a change takes effect when the settings are reloaded */
};

struct option {
    const char *path;            /* "db.batch_max"; its environment variable is TANDEM_DB_BATCH_MAX */
    enum option_type type;
    const char *initial;         /* the default, written as in a file but without quotes */
    int64_t min, max;            /* integer: the range; text: the length in bytes */
    const char *choices;         /* text: the only values, with '|' between them; NULL: any */
    const char *unit;            /* "ms", "s", "bytes", "KiB"; "" when it counts or is no number */
    enum option_effect effect;
    bool secret;                 /* text: names a file whose content is a secret (conf/secret_file.h) */
    bool outside;                /* not taken from files */
    bool hidden;                 /* text: a secret. Not taken from the command line either, and never shown */
    const char *help;            /* one line */
    bool octal;                  /* integer: permission bits, written as octal in a string, "0660" */
};

union option_value {
    const char *text;
    int64_t integer;
    bool boolean;
};

extern const struct option option_table[];
extern const size_t option_count;

/* Two integer options, of which the first's value is at most the second's. */
struct option_relation {
    enum option_id less, more;
};

extern const struct option_relation option_relations[];
extern const size_t option_relation_count;

/* The services that may have a section in a file; ends with NULL. */
extern const char *const option_services[];

/** The index of a path, or -1. */
ptrdiff_t option_find(struct text path);

/** The known path that is nearest to one that is not, for a message; NULL when none is near. */
const char *option_nearest(struct text path);

/** Likewise of the services. */
const char *option_service_nearest(struct text name);

enum { OPTION_ENVIRONMENT_SIZE = 96 };

/** The environment variable of an option; returns out. */
char *option_environment(const struct option *option, char out[static OPTION_ENVIRONMENT_SIZE]);

/** Checks range, length and choices. ERR_CONFIG with a cause that says what is allowed. */
enum err must_check option_check(const struct option *option, union option_value value);

/** Reads and checks a value given as text; texts are copied into arena. ERR_CONFIG with a cause; ERR_MEMORY. */
enum err must_check option_read(const struct option *option, struct text given, struct arena *arena,
                                union option_value *ret);

#endif
