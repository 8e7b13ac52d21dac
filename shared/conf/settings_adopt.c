#include "config.h"

#include <string.h>

#include "conf/settings_private.h"

static bool is_equal(const struct option *option, union option_value a, union option_value b)
{
    switch (option->type) {
    case OPTION_INTEGER:
        return a.integer == b.integer;
    case OPTION_BOOLEAN:
        return a.boolean == b.boolean;
    case OPTION_TEXT:
        return strcmp(a.text, b.text) == 0;
    }
    return false;
}

/* The value that runs, with its texts in an arena that lives longer than running's. */
static enum err keep(struct settings *settings, const struct settings_value *running, bool is_text,
                     struct settings_value *ret)
{
    struct settings_value kept = *running;
    if (is_text)
        kept.value.text = arena_string(&settings->arena, text_of(running->value.text));
    if (running->origin)
        kept.origin = arena_string(&settings->arena, text_of(running->origin));
    if ((is_text && !kept.value.text) || (running->origin && !kept.origin))
        return err_because(ERR_MEMORY, "no memory for the settings");
    kept.changed = false;
    kept.awaits_restart = true;
    *ret = kept;
    return ERR_NONE;
}

enum err settings_adopt(struct settings *settings, const struct settings *running)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; !err && i < option_count; i++) {
        const struct option *option = &option_table[i];
        struct settings_value *value = &settings->values[i];
        const struct settings_value *now = &running->values[i];
        if (is_equal(option, value->value, now->value))
            continue;
        if (option->effect == OPTION_LIVE)
            value->changed = true;
        else
            err = keep(settings, now, option->type == OPTION_TEXT, value);
    }
    return err;
}
