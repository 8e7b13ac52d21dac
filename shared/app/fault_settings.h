/*
 * Faults on demand (base/fault.h), as the settings have them. What is armed is logged as a warning, and counted.
 */
#ifndef TANDEM_APP_FAULT_SETTINGS_H
#define TANDEM_APP_FAULT_SETTINGS_H

#include "base/err.h"
#include "conf/settings.h"

/** Arms or disarms what fault.points says. At the start and at every reload; one thread at a time. */
void fault_settings_apply(const struct settings *settings);

/** Has faults counted in the metrics, between the two. ERR_MEMORY. */
enum err must_check fault_settings_count(void);
void fault_settings_count_end(void);

#endif
