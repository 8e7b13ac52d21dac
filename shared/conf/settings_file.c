#include "config.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "conf/settings_private.h"

enum { PATH_SIZE = 256, GROUP_DEPTH_MAX = 8 };

struct reading {
    struct settings *settings;
    const struct source *source;
    unsigned rank;           /* of what stands outside sections for services; one more within */
    const char *service;
    struct buf *faults;
};

/* Where in the file, and whether it counts for this service. */
struct place {
    char path[PATH_SIZE];
    unsigned depth;
    bool in_section, applies;
};

static void fault(struct reading *reading, const config_setting_t *setting, const char *reason)
{
    buf_addf(reading->faults, "%s:%u: %s\n", reading->source->path, config_setting_source_line(setting), reason);
}

static void fault_unknown(struct reading *reading, const config_setting_t *setting, const char *what, const char *name,
                          const char *nearest)
{
    char reason[PATH_SIZE * 2];
    snprintf(reason, sizeof reason, "unknown %s %s%s%s%s", what, name, nearest ? "; did you mean " : "",
             nearest ? nearest : "", nearest ? "?" : "");
    fault(reading, setting, reason);
}

/* ---- values ---- */

static const char *const type_names[] = {
    [OPTION_TEXT] = "a string in quotes",
    [OPTION_INTEGER] = "an integer",
    [OPTION_BOOLEAN] = "true or false",
};

static enum err value_of(struct reading *reading, const struct option *option, const config_setting_t *setting,
                         union option_value *ret)
{
    int type = config_setting_type(setting);
    if (option->hidden)
        return err_because(ERR_CONFIG, "%s is a secret, and is taken from the environment only", option->path);
    if (option->outside)
        return err_because(ERR_CONFIG, "%s is taken from the environment or --set only, not from a file",
                           option->path);
    if (option->type == OPTION_INTEGER && (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)) {
        ret->integer = config_setting_get_int64(setting);
    } else if (option->octal && type == CONFIG_TYPE_STRING) {
        return option_read(option, text_of(config_setting_get_string(setting)), &reading->settings->arena, ret);
    } else if (option->type == OPTION_BOOLEAN && type == CONFIG_TYPE_BOOL) {
        ret->boolean = config_setting_get_bool(setting) != 0;
    } else if (option->type == OPTION_TEXT && type == CONFIG_TYPE_STRING) {
        ret->text = arena_string(&reading->settings->arena, text_of(config_setting_get_string(setting)));
        if (!ret->text)
            return err_because(ERR_MEMORY, "no memory for %s", option->path);
    } else {
        return err_because(ERR_CONFIG, "%s has the wrong type: it is %s", option->path, type_names[option->type]);
    }
    return option_check(option, *ret);
}

static void read_value(struct reading *reading, const config_setting_t *setting, const struct place *place)
{
    struct settings_value value = {
        .rank = reading->rank + place->in_section,
        .layer = reading->source->layer,
        .origin = reading->source->path,
        .line = config_setting_source_line(setting),
    };
    ptrdiff_t at = option_find(text_of(place->path));
    if (at < 0)
        fault_unknown(reading, setting, "option", place->path, option_nearest(text_of(place->path)));
    else if (value_of(reading, &option_table[at], setting, &value.value) != ERR_NONE)
        fault(reading, setting, err_cause());
    else if (place->applies && reading->settings->values[at].rank < value.rank)
        reading->settings->values[at] = value;
}

/* ---- groups ---- */

static void read_group(struct reading *reading, const config_setting_t *group, const struct place *place);

static bool is_service(const char *name)
{
    for (const char *const *service = option_services; *service; service++) {
        if (strcmp(*service, name) == 0)
            return true;
    }
    return false;
}

/* service = { NAME = { … }; }: the options of one program. */
static void read_services(struct reading *reading, const config_setting_t *services)
{
    if (!config_setting_is_group(services)) {
        fault(reading, services, "service is a group of sections, one for each service's name");
        return;
    }
    for (int i = 0; i < config_setting_length(services); i++) {
        const config_setting_t *section = config_setting_get_elem(services, (unsigned)i);
        const char *name = config_setting_name(section);
        struct place place = {.depth = 1, .in_section = true};
        place.applies = reading->service && strcmp(name, reading->service) == 0;
        if (!is_service(name))
            fault_unknown(reading, section, "service", name, option_service_nearest(text_of(name)));
        else if (!config_setting_is_group(section))
            fault(reading, section, "a service's section is a group of options");
        else
            read_group(reading, section, &place);
    }
}

static void read_group(struct reading *reading, const config_setting_t *group, const struct place *place)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        struct place inner = {.depth = place->depth + 1, .in_section = place->in_section, .applies = place->applies};
        int length = snprintf(inner.path, sizeof inner.path, "%s%s%s", place->path, *place->path ? "." : "",
                              config_setting_name(setting));
        if (length >= (int)sizeof inner.path || inner.depth > GROUP_DEPTH_MAX + 1)
            fault(reading, setting, "groups are nested too deeply");
        else if (!place->in_section && strcmp(inner.path, "service") == 0)
            read_services(reading, setting);
        else if (config_setting_is_group(setting))
            read_group(reading, setting, &inner);
        else
            read_value(reading, setting, &inner);
    }
}

/* ---- the whole file ---- */

/*
 * libconfig would read what a line beginning with @include names, and end the process when that is a folder; nor would
 * it be signed. So there is none: no line begins with an at sign, whatever it may be a part of.
 */
static bool has_include(struct reading *reading, const char *content)
{
    struct text rest = text_of(content);
    for (unsigned line = 1; rest.at; line++) {
        struct text text = text_split(&rest, '\n');
        while (text.length > 0 && strchr(" \t\r\v\f", *text.at))
            text = (struct text){text.at + 1, text.length - 1};
        if (text.length > 0 && *text.at == '@') {
            buf_addf(reading->faults, "%s:%u: there is no @include; put the file into " SOURCE_FOLDER "\n",
                     reading->source->path, line);
            return true;
        }
    }
    return false;
}

void settings_read_file(struct settings *settings, const struct source *source, unsigned rank, const char *content,
                        const char *service, struct buf *faults)
{
    struct reading reading = {settings, source, rank, service, faults};
    config_t config;
    if (has_include(&reading, content))
        return;
    config_init(&config);
    if (config_read_string(&config, content)) {
        const struct place root = {.applies = true};
        read_group(&reading, config_root_setting(&config), &root);
    } else {
        const char *what = config_error_text(&config);
        bool is_twice = strcmp(what, "duplicate setting name") == 0;
        buf_addf(faults, "%s:%d: %s%s\n", source->path, config_error_line(&config), what,
                 is_twice ? ": a file has each group and option once; add to that, or use another file in conf.d" : "");
    }
    config_destroy(&config);
}
