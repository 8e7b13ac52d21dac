#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conf/option_alias.h"
#include "conf/settings_private.h"

enum { SETTINGS_ARENA_MAX = 8 * 1024 * 1024 };

static const char ARGUMENT[] = "--set";

static struct settings *settings_new(void)
{
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return NULL;
    atomic_init(&settings->references, 1);
    arena_init(&settings->arena, SETTINGS_ARENA_MAX);
    return settings;
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

/* ---- layers that are not files ---- */

/* The defaults are ours: one that does not fit its own row is a programmer's error. */
static enum err read_defaults(struct settings *settings)
{
    for (size_t i = 0; i < option_count; i++) {
        struct settings_value *value = &settings->values[i];
        value->rank = RANK_DEFAULT;
        value->layer = "default";
        enum err err =
            option_read(&option_table[i], text_of(option_table[i].initial), &settings->arena, &value->value);
        assert(err == ERR_NONE || err == ERR_MEMORY);
        if (err)
            return err;
    }
    return ERR_NONE;
}

/* Applies a value given as text; a fault becomes a line. */
static void apply(struct settings *settings, size_t at, struct text given, struct settings_value value,
                  struct buf *faults)
{
    if (option_read(&option_table[at], given, &settings->arena, &value.value) == ERR_NONE)
        settings->values[at] = value;
    else
        buf_addf(faults, "%s: %s\n", value.origin, err_cause());
}

/* A variable that sets several options has several rows; what is wrong with it is told by the first. */
static bool is_told(const struct option_alias *alias)
{
    const struct option_alias *each = option_aliases;
    while (strcmp(each->variable, alias->variable) != 0)
        each++;
    return each == alias;
}

static void read_alias(struct settings *settings, const struct option_alias *alias, struct text given,
                       struct buf *faults)
{
    struct settings_value value = {.rank = alias->weak ? RANK_DEFAULT : RANK_ENVIRONMENT, .layer = "environment",
                                   .origin = alias->variable};
    struct text meant;
    enum err err = option_alias_read(alias, given, &settings->arena, &meant);
    if (err && is_told(alias))
        buf_addf(faults, "%s: %s\n", alias->variable, err_cause());
    else if (!err && meant.at)
        apply(settings, alias->option, meant, value, faults);
}

/* What others call our options, before what we call them, which wins. */
static void read_aliases(struct settings *settings, char *const *environment, struct buf *faults)
{
    for (size_t i = 0; i < option_alias_count; i++) {
        size_t length = strlen(option_aliases[i].variable);
        for (char *const *entry = environment; *entry; entry++) {
            if (strncmp(*entry, option_aliases[i].variable, length) == 0 && (*entry)[length] == '=')
                read_alias(settings, &option_aliases[i], text_of(*entry + length + 1), faults);
        }
    }
}

static void read_environment(struct settings *settings, char *const *environment, struct buf *faults)
{
    read_aliases(settings, environment, faults);
    char name[OPTION_ENVIRONMENT_SIZE];
    for (size_t i = 0; i < option_count; i++) {
        size_t length = strlen(option_environment(&option_table[i], name));
        for (char *const *entry = environment; *entry; entry++) {
            if (strncmp(*entry, name, length) != 0 || (*entry)[length] != '=')
                continue;
            const char *origin = arena_string(&settings->arena, text_of(name));
            apply(settings, i, text_of(*entry + length + 1),
                  (struct settings_value){.rank = RANK_ENVIRONMENT, .layer = "environment",
                                          .origin = origin ? origin : ""}, faults);
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
    } else if (option_table[at].hidden) {
        buf_addf(faults, "--set: %s is a secret, and a command line is for all to see; give it in the environment\n",
                 option_table[at].path);
    } else {
        apply(settings, (size_t)at, value,
              (struct settings_value){.rank = RANK_ARGUMENT, .layer = "argument", .origin = ARGUMENT}, faults);
    }
}

/* ---- files ---- */

/* Of the settings that run, else of the file that the option names. */
static void find_key(struct settings *settings, const struct settings *running, struct buf *faults)
{
    const char *path = settings_text(settings, OPTION_CONF_PUBLIC_KEY_FILE);
    settings->is_signed = *path != '\0';
    if (running) {
        settings->is_signed = running->is_signed;
        settings->key = running->key;
    } else if (settings->is_signed && signature_key_read(path, &settings->key) != ERR_NONE) {
        buf_addf(faults, "conf.public_key_file %s: %s\n", path, err_cause());
    }
}

static void read_source(struct settings *settings, const struct source *source, unsigned rank, const char *service,
                        struct buf *faults)
{
    struct buf content;
    if (source_read(source->path, settings->is_signed ? &settings->key : NULL, &content) == ERR_NONE)
        settings_read_file(settings, source, rank, buf_string(&content), service, faults);
    else
        buf_addf(faults, "%s: %s%s%s\n", source->path, err_cause(), source->named_by ? "; it is named by " : "",
                 source->named_by ? source->named_by : "");
    buf_fini(&content);
}

static void read_sources(struct settings *settings, const struct settings_opts *opts, struct buf *faults)
{
    struct sources *sources = arena_calloc(&settings->arena, 1, sizeof *sources);
    if (!sources || sources_find(opts->file, opts->environment, &settings->arena, sources) != ERR_NONE) {
        buf_addf(faults, "%s\n", sources ? err_cause() : "no memory for the names of settings files");
        return;
    }
    for (size_t i = 0; i < sources->count; i++)
        read_source(settings, &sources->list[i], RANK_FILES + 2 * (unsigned)i, opts->service, faults);
}

/* ---- all layers: the highest first, since the key that files are verified with is of the highest two ---- */

static enum err read_layers(struct settings *settings, const struct settings_opts *opts, struct buf *faults)
{
    size_t before = faults->length;
    enum err err = read_defaults(settings);
    if (err)
        return err;
    if (opts->environment)
        read_environment(settings, opts->environment, faults);
    for (size_t i = 0; i < opts->override_count; i++)
        read_override(settings, opts->overrides[i], faults);
    find_key(settings, opts->running, faults);
    if (faults->length == before || !settings->is_signed)   /* without the key no file can be trusted */
        read_sources(settings, opts, faults);
    settings_check(settings, opts->environment, faults);
    if (faults->length == before)
        settings_check_rules(settings, opts, faults);
    return faults->length > before || faults->failed ? err_because(ERR_CONFIG, "the settings are wrong") : ERR_NONE;
}

enum err settings_load(const struct settings_opts *opts, struct buf *faults, struct settings **ret)
{
    struct settings *settings = settings_new();
    if (!settings)
        return err_because(ERR_MEMORY, "no memory for the settings");
    settings->loaded_us = clock_wall_us();
    enum err err = read_layers(settings, opts, faults);
    if (!err && opts->running)
        err = settings_adopt(settings, opts->running);
    if (!err)
        err = settings_make_digest(settings);
    if (err)
        settings_unref(settings);
    else
        *ret = settings;
    return err;
}

/* ---- values ---- */

static const struct settings_value *value_of(const struct settings *settings, enum option_id option,
                                             enum option_type type)
{
    assert(option_table[option].type == type);
    return &settings->values[option];
}

const char *settings_text(const struct settings *settings, enum option_id option)
{
    return value_of(settings, option, OPTION_TEXT)->value.text;
}

int64_t settings_int(const struct settings *settings, enum option_id option)
{
    return value_of(settings, option, OPTION_INTEGER)->value.integer;
}

bool settings_bool(const struct settings *settings, enum option_id option)
{
    return value_of(settings, option, OPTION_BOOLEAN)->value.boolean;
}

bool settings_changed(const struct settings *settings, enum option_id option)
{
    return settings->values[option].changed;
}

bool settings_awaits_restart(const struct settings *settings, enum option_id option)
{
    return settings->values[option].awaits_restart;
}

const char *settings_digest(const struct settings *settings)
{
    return settings->digest;
}

int64_t settings_loaded_us(const struct settings *settings)
{
    return settings->loaded_us;
}
