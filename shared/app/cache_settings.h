/*
 * The options of the shared part of caches, as the settings have them. Any thread.
 */
#ifndef TANDEM_APP_CACHE_SETTINGS_H
#define TANDEM_APP_CACHE_SETTINGS_H

#include <stdbool.h>

#include "cache/remote.h"
#include "conf/settings.h"

/** Whether there is to be one. */
bool cache_settings_has_remote(const struct settings *settings);

/** Its strings are those of the settings. */
struct cache_remote_opts cache_settings_remote(const struct settings *settings);

#endif
