#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/log_settings.h"
#include "telemetry/log.h"

enum { INSTANCE_SIZE = 128 };

static const struct {
    enum log_module module;
    const char *path;
} module_levels[LOG_MODULES] = {
    {LOG_MODULE_BASE, "log.level_base"},           {LOG_MODULE_CONF, "log.level_conf"},
    {LOG_MODULE_STATE, "log.level_state"},         {LOG_MODULE_NET, "log.level_net"},
    {LOG_MODULE_EVENTS, "log.level_events"},       {LOG_MODULE_APP, "log.level_app"},
    {LOG_MODULE_USER, "log.level_user"},           {LOG_MODULE_ORDER, "log.level_order"},
    {LOG_MODULE_INVENTORY, "log.level_inventory"},
};

static const struct {
    const char *name;
    enum log_sink_kind kind;
    const char *path;              /* the option with its path; NULL: it has none */
} sinks[] = {
    {"stderr", LOG_TO_FD, NULL},
    {"file", LOG_TO_FILE, "log.file"},
    {"syslog", LOG_TO_SYSLOG, "log.syslog_socket"},
};

/* The table of options has let no other value through. */
static enum log_level level_of(const struct settings *settings, const char *path, enum log_level otherwise)
{
    enum log_level level = otherwise;
    return log_level_of(text_of(settings_text(settings, path)), &level) ? otherwise : level;
}

void log_settings_apply(const struct settings *settings)
{
    enum log_level levels[LOG_MODULES], common = level_of(settings, "log.level", LOG_INFO);
    for (size_t i = 0; i < LOG_MODULES; i++)
        levels[module_levels[i].module] = level_of(settings, module_levels[i].path, common);
    log_levels_set(levels);
    log_repeat_set((unsigned)settings_int(settings, "log.repeat_burst"));
    log_sample_set((unsigned)settings_int(settings, "log.access_sample"));
}

static enum err read_sink(const struct settings *settings, struct log_opts *opts)
{
    const char *wanted = settings_text(settings, "log.sink");
    for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        if (strcmp(wanted, sinks[i].name) != 0)
            continue;
        opts->sink = sinks[i].kind;
        opts->path = sinks[i].path ? settings_text(settings, sinks[i].path) : NULL;
        if (opts->path && !*opts->path)
            return err_because(ERR_CONFIG, "%s has to say where, since log.sink is \"%s\"", sinks[i].path, wanted);
    }
    return ERR_NONE;
}

enum err log_settings_open(const char *service, const struct settings *settings)
{
    char host[INSTANCE_SIZE / 2] = "", instance[INSTANCE_SIZE];
    struct log_opts opts = {.service = service, .instance = instance, .fd = STDERR_FILENO};
    gethostname(host, sizeof host - 1);
    snprintf(instance, sizeof instance, "%s:%ld", host, (long)getpid());
    enum err err = log_format_of(text_of(settings_text(settings, "log.format")), &opts.format);
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
