/*
 * The options of the bus, as the settings have them. Any thread.
 */
#ifndef TANDEM_APP_BUS_SETTINGS_H
#define TANDEM_APP_BUS_SETTINGS_H

#include "conf/settings.h"
#include "events/bus.h"

/** Its strings are those of the settings. */
struct bus_opts bus_settings(const struct settings *settings);

#endif
