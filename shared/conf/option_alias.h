/*
 * Aliases: variables of the environment that other programs know too, OpenTelemetry's above all, and the options that
 * they set here. TANDEM_... variables win over them, they win over files.
 *
 * Immutable: any thread.
 */
#ifndef TANDEM_CONF_OPTION_ALIAS_H
#define TANDEM_CONF_OPTION_ALIAS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"
#include "conf/option_table.h"

struct option_alias {
    const char *variable;
    enum option_id option;
    const char *words;       /* "true=on|false": all the values there are, and what they are called here; one without
                                anything says nothing about this option. NULL: any value, as it is */
    unsigned multiplier;     /* of a number that counts something else; 0: as it is */
    bool weak;               /* files win over it */
};

/* In order: of those that set the same option, a later one wins. */
extern const struct option_alias option_aliases[];
extern const size_t option_alias_count;

/** What the option is given for a value of the variable; absent when that says nothing, as an empty one does. In arena
 *  where it is another text. ERR_CONFIG with a cause that says what is allowed; ERR_MEMORY. */
enum err must_check option_alias_read(const struct option_alias *alias, struct text given, struct arena *arena,
                                      struct text *ret);

#endif
