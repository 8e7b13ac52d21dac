/*
 * The log as the settings have it.
 */
#ifndef TANDEM_APP_LOG_SETTINGS_H
#define TANDEM_APP_LOG_SETTINGS_H

#include "base/err.h"
#include "conf/settings.h"

/** Whether a sink that needs a place has one. ERR_CONFIG with a cause. */
enum err must_check log_settings_check(const struct settings *settings);

/** Opens the log of a service. What is wrong was said on standard error: ERR_CONFIG, ERR_IO, ERR_MEMORY. */
enum err must_check log_settings_open(const char *service, const struct settings *settings);

/** Applies those that are live: levels, repeats, samples. At every reload; any thread. */
void log_settings_apply(const struct settings *settings);

#endif
