#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/log_settings.h"
#include "conf/option.h"
#include "telemetry/log.h"

enum { INSTANCE_SIZE = 128 };

static const struct {
    enum log_module module;
    enum option_id level;
} module_levels[LOG_MODULES] = {
    {LOG_MODULE_BASE, OPTION_LOG_LEVEL_BASE},           {LOG_MODULE_CONF, OPTION_LOG_LEVEL_CONF},
    {LOG_MODULE_STATE, OPTION_LOG_LEVEL_STATE},         {LOG_MODULE_NET, OPTION_LOG_LEVEL_NET},
    {LOG_MODULE_EVENTS, OPTION_LOG_LEVEL_EVENTS},       {LOG_MODULE_APP, OPTION_LOG_LEVEL_APP},
    {LOG_MODULE_USER, OPTION_LOG_LEVEL_USER},           {LOG_MODULE_ORDER, OPTION_LOG_LEVEL_ORDER},
    {LOG_MODULE_INVENTORY, OPTION_LOG_LEVEL_INVENTORY},
};

static const struct {
    const char *name;
    enum log_sink_kind kind;
    enum option_id path;           /* where that is; OPTIONS: it needs none */
} sinks[] = {
    {"stderr", LOG_TO_FD, OPTIONS},
    {"file", LOG_TO_FILE, OPTION_LOG_FILE},
    {"syslog", LOG_TO_SYSLOG, OPTION_LOG_SYSLOG_SOCKET},
};

/* The table of options has let no other value through. */
static enum log_level level_of(const struct settings *settings, enum option_id option, enum log_level otherwise)
{
    enum log_level level = otherwise;
    return log_level_of(text_of(settings_text(settings, option)), &level) ? otherwise : level;
}

void log_settings_apply(const struct settings *settings)
{
    enum log_level levels[LOG_MODULES], common = level_of(settings, OPTION_LOG_LEVEL, LOG_INFO);
    for (size_t i = 0; i < LOG_MODULES; i++)
        levels[module_levels[i].module] = level_of(settings, module_levels[i].level, common);
    log_levels_set(levels);
    log_repeat_set((unsigned)settings_int(settings, OPTION_LOG_REPEAT_BURST));
    log_sample_set((unsigned)settings_int(settings, OPTION_LOG_ACCESS_SAMPLE));
}

static enum err read_sink(const struct settings *settings, struct log_opts *opts)
{
    const char *wanted = settings_text(settings, OPTION_LOG_SINK);
    for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        if (strcmp(wanted, sinks[i].name) != 0)
            continue;
        opts->sink = sinks[i].kind;
        opts->path = sinks[i].path == OPTIONS ? NULL : settings_text(settings, sinks[i].path);
        if (opts->path && !*opts->path)
            return err_because(ERR_CONFIG, "%s has to say where, since log.sink is \"%s\"",
                               option_table[sinks[i].path].path, wanted);
    }
    return ERR_NONE;
}

enum err log_settings_check(const struct settings *settings)
{
    struct log_opts opts;
    return read_sink(settings, &opts);
}

enum err log_settings_open(const char *service, const struct settings *settings)
{
    char host[INSTANCE_SIZE / 2] = "", instance[INSTANCE_SIZE];
    struct log_opts opts = {.service = service, .instance = instance, .fd = STDERR_FILENO};
    gethostname(host, sizeof host - 1);
    snprintf(instance, sizeof instance, "%s:%ld", host, (long)getpid());
    enum err err = log_format_of(text_of(settings_text(settings, OPTION_LOG_FORMAT)), &opts.format);
    if (!err)
        err = read_sink(settings, &opts);
    if (!err)
        err = log_open(&opts);
    if (err)
        fprintf(stderr, "tandem-%s: the log cannot be opened: %s\n", service, err_cause());
    else
        log_settings_apply(settings);
    return err;
}
