#include "config.h"

#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "conf/settings_private.h"

enum { PATH_SIZE = 256, GROUP_DEPTH_MAX = 8, FILE_MAX_BYTES = 1024 * 1024, READ_BYTES = 4096 };

struct reading {
    struct settings *settings;
    const char *file;        /* in the settings' arena */
    const char *service;
    struct buf *faults;
};

/* Where a setting stands: the file given, or one that it includes. */
static const char *file_of(struct reading *reading, const config_setting_t *setting)
{
    const char *included = config_setting_source_file(setting);
    return included ? included : reading->file;
}

static void fault(struct reading *reading, const config_setting_t *setting, const char *reason)
{
    buf_addf(reading->faults, "%s:%u: %s\n", file_of(reading, setting), config_setting_source_line(setting), reason);
}

static void fault_unknown(struct reading *reading, const config_setting_t *setting, const char *path)
{
    const char *nearest = option_nearest(text_of(path));
    char reason[PATH_SIZE * 2];
    if (nearest)
        snprintf(reason, sizeof reason, "unknown option %s; did you mean %s?", path, nearest);
    else
        snprintf(reason, sizeof reason, "unknown option %s", path);
    fault(reading, setting, reason);
}

static const char *const type_names[] = {
    [OPTION_TEXT] = "a string in quotes",
    [OPTION_INTEGER] = "an integer",
    [OPTION_BOOLEAN] = "true or false",
};

static enum err value_of(struct reading *reading, const struct option *option, const config_setting_t *setting,
                         union option_value *ret)
{
    int type = config_setting_type(setting);
    if (option->type == OPTION_INTEGER && (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)) {
        ret->integer = config_setting_get_int64(setting);
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

static void read_value(struct reading *reading, const config_setting_t *setting, const char *path,
                       enum settings_layer layer, bool applies)
{
    union option_value value = {.text = NULL};
    ptrdiff_t at = option_find(text_of(path));
    if (at < 0) {
        fault_unknown(reading, setting, path);
        return;
    }
    if (value_of(reading, &option_table[at], setting, &value) != ERR_NONE) {
        fault(reading, setting, err_cause());
        return;
    }
    struct settings_value *place = &reading->settings->values[at];
    if (!applies || place->layer > layer)
        return;
    const char *origin = arena_string(&reading->settings->arena, text_of(file_of(reading, setting)));
    *place = (struct settings_value){value, layer, origin ? origin : reading->file,
                                     config_setting_source_line(setting)};
}

static void read_group(struct reading *reading, const config_setting_t *group, const char *prefix,
                       enum settings_layer layer, bool applies, unsigned depth);

/* service = { NAME = { … }; }: the options of one program. */
static void read_services(struct reading *reading, const config_setting_t *services)
{
    if (!config_setting_is_group(services)) {
        fault(reading, services, "service is a group of sections, one for each service's name");
        return;
    }
    for (int i = 0; i < config_setting_length(services); i++) {
        const config_setting_t *section = config_setting_get_elem(services, (unsigned)i);
        if (!config_setting_is_group(section)) {
            fault(reading, section, "a service's section is a group of options");
            continue;
        }
        bool applies = reading->service && strcmp(config_setting_name(section), reading->service) == 0;
        read_group(reading, section, "", LAYER_SERVICE, applies, 1);
    }
}

static void read_group(struct reading *reading, const config_setting_t *group, const char *prefix,
                       enum settings_layer layer, bool applies, unsigned depth)
{
    char path[PATH_SIZE];
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        int length = snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", config_setting_name(setting));
        if (length >= (int)sizeof path || depth > GROUP_DEPTH_MAX)
            fault(reading, setting, "groups are nested too deeply");
        else if (layer == LAYER_FILE && strcmp(path, "service") == 0)
            read_services(reading, setting);
        else if (config_setting_is_group(setting))
            read_group(reading, setting, path, layer, applies, depth + 1);
        else
            read_value(reading, setting, path, layer, applies);
    }
}

/* libconfig's own reader ends the process when a read fails, as it does on a folder. */
static enum err read_whole(const char *file, struct buf *out)
{
    FILE *stream = fopen(file, "re");
    size_t got = 0;
    if (!stream)
        return err_because(ERR_CONFIG, "%s", strerror(errno));
    do {
        char *room = buf_reserve(out, READ_BYTES);
        got = room ? fread(room, 1, READ_BYTES, stream) : 0;
        buf_commit(out, got);
    } while (got > 0);
    int code = ferror(stream) ? errno : 0;
    fclose(stream);
    if (code)
        return err_because(ERR_CONFIG, "%s", strerror(code));
    if (buf_check(out) != ERR_NONE)
        return err_because(ERR_CONFIG, "it is larger than %d bytes", FILE_MAX_BYTES);
    if (text_find(buf_text(out), '\0') >= 0)
        return err_because(ERR_CONFIG, "it has a NUL byte");
    return ERR_NONE;
}

static void parse(struct reading *reading, const char *content)
{
    config_t config;
    config_init(&config);
    if (config_read_string(&config, content)) {
        read_group(reading, config_root_setting(&config), "", LAYER_FILE, true, 0);
    } else {
        const char *included = config_error_file(&config);
        buf_addf(reading->faults, "%s:%d: %s\n", included ? included : reading->file, config_error_line(&config),
                 config_error_text(&config));
    }
    config_destroy(&config);
}

enum err settings_read_file(struct settings *settings, const char *file, const char *service, struct buf *faults)
{
    struct reading reading = {.settings = settings, .service = service, .faults = faults};
    struct buf content;
    buf_init(&content, FILE_MAX_BYTES + READ_BYTES);
    reading.file = arena_string(&settings->arena, text_of(file));
    enum err err = reading.file ? read_whole(file, &content) : err_because(ERR_MEMORY, "no memory for a file's name");
    if (!err)
        parse(&reading, buf_string(&content));
    else
        buf_addf(faults, "%s: %s\n", file, err_cause());
    buf_fini(&content);
    return err;
}
