#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf/settings_private.h"

enum { SETTINGS_ARENA_MAX = 4 * 1024 * 1024, OVERRIDE_PATH_MAX = 128 };

static const char *const layer_names[] = {
    [LAYER_DEFAULT] = "default",         [LAYER_FILE] = "file",         [LAYER_SERVICE] = "file, service section",
    [LAYER_ENVIRONMENT] = "environment", [LAYER_ARGUMENT] = "argument",
};

static struct settings *settings_new(void)
{
    struct settings *settings = calloc(1, sizeof *settings + option_count * sizeof settings->values[0]);
    if (!settings)
        return NULL;
    atomic_init(&settings->references, 1);
    arena_init(&settings->arena, SETTINGS_ARENA_MAX);
    return settings;
}

/* The defaults are ours: one that does not fit its own row is a programmer's error. */
static enum err read_defaults(struct settings *settings)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        bool may_be_empty = option->type == OPTION_TEXT && !option->choices;
        enum err err =
            option_read(option, text_of(option->initial), &settings->arena, &settings->values[i].value);
        assert(err == ERR_NONE || err == ERR_MEMORY || may_be_empty);
        if (err)
            return err;
    }
    return ERR_NONE;
}

/* Applies a value given as text; a fault becomes a line. */
static void apply(struct settings *settings, size_t at, struct text given, enum settings_layer layer,
                  const char *origin, struct buf *faults)
{
    struct settings_value value = {.layer = layer, .origin = origin};
    if (option_read(&option_table[at], given, &settings->arena, &value.value) == ERR_NONE)
        settings->values[at] = value;
    else
        buf_addf(faults, "%s: %s\n", origin, err_cause());
}

static void read_environment(struct settings *settings, char *const *environment, struct buf *faults)
{
    char name[OPTION_ENVIRONMENT_SIZE];
    for (size_t i = 0; i < option_count; i++) {
        size_t length = strlen(option_environment(&option_table[i], name));
        for (char *const *entry = environment; *entry; entry++) {
            if (strncmp(*entry, name, length) != 0 || (*entry)[length] != '=')
                continue;
            const char *origin = arena_string(&settings->arena, text_of(name));
            apply(settings, i, text_of(*entry + length + 1), LAYER_ENVIRONMENT, origin ? origin : "", faults);
        }
    }
}

static void read_override(struct settings *settings, const char *override, struct buf *faults)
{
    struct text value = text_of(override);
    struct text path = text_trim(text_split(&value, '='));
    ptrdiff_t at = option_find(path);
    if (!value.at) {
        buf_addf(faults, "--set %s: say it as path=value\n", override);
    } else if (at < 0) {
        const char *nearest = option_nearest(path);
        buf_addf(faults, "--set: unknown option %.*s%s%s%s\n", TEXT_ARGS(path), nearest ? "; did you mean " : "",
                 nearest ? nearest : "", nearest ? "?" : "");
    } else {
        apply(settings, (size_t)at, value, LAYER_ARGUMENT, "--set", faults);
    }
}

enum err settings_load(const struct settings_opts *opts, struct buf *faults, struct settings **ret)
{
    struct settings *settings = settings_new();
    if (!settings)
        return err_because(ERR_MEMORY, "no memory for the settings");
    enum err err = read_defaults(settings);
    if (!err && opts->file)
        err = settings_read_file(settings, opts->file, opts->service, faults);
    if (!err && opts->environment)
        read_environment(settings, opts->environment, faults);
    for (size_t i = 0; !err && i < opts->override_count; i++)
        read_override(settings, opts->overrides[i], faults);
    if (!err && (faults->length > 0 || faults->failed))
        err = err_because(ERR_CONFIG, "the settings are wrong");
    if (err)
        settings_unref(settings);
    else
        *ret = settings;
    return err;
}

struct settings *settings_ref(struct settings *settings)
{
    atomic_fetch_add_explicit(&settings->references, 1, memory_order_relaxed);
    return settings;
}

void settings_unref(struct settings *settings)
{
    if (!settings || atomic_fetch_sub_explicit(&settings->references, 1, memory_order_acq_rel) != 1)
        return;
    arena_fini(&settings->arena);
    free(settings);
}

static const union option_value *value_at(const struct settings *settings, const char *path, enum option_type type)
{
    ptrdiff_t at = option_find(text_of(path));
    assert(at >= 0 && option_table[at].type == type);
    return &settings->values[at].value;
}

const char *settings_text(const struct settings *settings, const char *path)
{
    return value_at(settings, path, OPTION_TEXT)->text;
}

int64_t settings_int(const struct settings *settings, const char *path)
{
    return value_at(settings, path, OPTION_INTEGER)->integer;
}

bool settings_bool(const struct settings *settings, const char *path)
{
    return value_at(settings, path, OPTION_BOOLEAN)->boolean;
}

/* ---- --print-config ---- */

static void print_string(const char *string, struct buf *out)
{
    buf_add_char(out, '"');
    for (; *string; string++) {
        if (*string == '"' || *string == '\\')
            buf_add_char(out, '\\');
        if ((unsigned char)*string < 0x20 || *string == 0x7f)
            buf_addf(out, "\\x%02x", (unsigned)*string);
        else
            buf_add_char(out, *string);
    }
    buf_add_char(out, '"');
}

static void print_value(const struct option *option, union option_value value, struct buf *out)
{
    switch (option->type) {
    case OPTION_INTEGER:
        /* libconfig wants the L on what does not fit 32 bits. */
        buf_addf(out, "%" PRId64 "%s", value.integer, value.integer > INT32_MAX ? "L" : "");
        return;
    case OPTION_BOOLEAN:
        buf_add_string(out, value.boolean ? "true" : "false");
        return;
    case OPTION_TEXT:
        print_string(value.text, out);
        return;
    }
}

static void print_origin(const struct settings_value *value, struct buf *out)
{
    buf_add_string(out, layer_names[value->layer]);
    if (value->line)
        buf_addf(out, " %s:%u", value->origin, value->line);
    else if (value->layer == LAYER_ENVIRONMENT)
        buf_addf(out, " %s", value->origin);
}

void settings_print(const struct settings *settings, struct buf *out)
{
    struct text group = TEXT_NONE;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        struct text name = text_of(option->path);
        struct text this_group = text_split(&name, '.');
        if (!text_equal(this_group, group)) {
            buf_addf(out, "%s%.*s = {\n", group.at ? "};\n\n" : "", TEXT_ARGS(this_group));
            group = this_group;
        }
        buf_addf(out, "    # %s%s%s\n    %.*s = ", option->help, *option->unit ? "; in " : "", option->unit,
                 TEXT_ARGS(name));
        print_value(option, settings->values[i].value, out);
        buf_add_string(out, ";    # ");
        print_origin(&settings->values[i], out);
        buf_add_char(out, '\n');
    }
    if (group.at)
        buf_add_string(out, "};\n");
}
