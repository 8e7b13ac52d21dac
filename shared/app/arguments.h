/*
 * A service's command line: --help, --version, --config FILE, --set PATH=VALUE, --check-config, --print-config.
 */
#ifndef TANDEM_APP_ARGUMENTS_H
#define TANDEM_APP_ARGUMENTS_H

#include <stdbool.h>

#include "app/service.h"
#include "conf/settings.h"

enum { ARGUMENTS_OVERRIDES_MAX = 64 };

/* What was given. Strings are those of argv. */
struct arguments {
    const char *overrides[ARGUMENTS_OVERRIDES_MAX];
    struct settings_opts settings_opts;   /* to load the settings from, now and again */
};

/**
 * Reads the command line and the settings. True when the service is to run; otherwise everything was said, and
 * *ret_status is the exit status: 0, 1 when the settings are wrong, 2 when the command line is.
 */
bool arguments_read(const struct service_definition *definition, int argc, char **argv, struct arguments *arguments,
                    struct settings **ret_settings, int *ret_status);

#endif
