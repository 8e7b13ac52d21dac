/* What the parts of settings share. */
#ifndef TANDEM_CONF_SETTINGS_PRIVATE_H
#define TANDEM_CONF_SETTINGS_PRIVATE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "conf/option.h"
#include "conf/settings.h"
#include "conf/signature.h"
#include "conf/source.h"

/* What wins: the higher rank. Each file has two, the second for the service's section in it. */
enum {
    RANK_DEFAULT = 0,
    RANK_FILES = 1,
    RANK_ENVIRONMENT = RANK_FILES + 2 * SOURCES_MAX,
    RANK_ARGUMENT,
};

struct settings_value {
    union option_value value;
    unsigned rank;
    const char *layer;       /* its name, for people */
    const char *origin;      /* the file, the environment variable, "--set", or NULL */
    unsigned line;           /* of the file */
    bool changed, awaits_restart;
};

struct settings {
    atomic_uint references;
    struct arena arena;
    bool is_signed;
    struct signature_key key;
    int64_t loaded_us;
    char digest[TOKEN_DIGEST_SIZE];
    struct settings_value values[OPTIONS];
};

/* ---- settings_file.c ---- */

/** Applies the content of a file in libconfig's format, zero-terminated; each fault is a line in faults. rank is that
 *  of the file's first half. */
void settings_read_file(struct settings *settings, const struct source *source, unsigned rank, const char *content,
                        const char *service, struct buf *faults);

/* ---- settings_check.c ---- */

/** What can only be seen when all values are there: the order of related options, the modes of secret files, URLs and
 *  header fields, whether faults may be armed in this environment (NULL: none). */
void settings_check(const struct settings *settings, char *const *environment, struct buf *faults);

/** What the opts' rules find. Only where all else is well, or what was not read would be told to be missing. */
void settings_check_rules(const struct settings *settings, const struct settings_opts *opts, struct buf *faults);

/* ---- settings_adopt.c ---- */

/** Makes settings what may take running's place. ERR_MEMORY. */
enum err must_check settings_adopt(struct settings *settings, const struct settings *running);

/* ---- settings_print.c ---- */

/** Writes where a value came from: "file /etc/tandem/tandem.conf:3". */
void settings_print_origin(const struct settings_value *value, struct buf *out);

/** Computes settings->digest. ERR_MEMORY. */
enum err must_check settings_make_digest(struct settings *settings);

#endif
