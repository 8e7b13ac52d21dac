#include "config.h"

#include <string.h>

#include "app/fault_settings.h"
#include "base/fault.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_CONF

/* The settings' own check has let no other plan through. */
void fault_settings_apply(const struct settings *settings)
{
    const char *plan = settings_text(settings, OPTION_FAULT_POINTS);
    bool were_armed = atomic_load(&fault_armed);
    enum err err = fault_arm(text_of(plan));
    if (err)
        log_event(LOG_ERROR, "faults cannot be armed", LOG_ERR(err));
    else if (atomic_load(&fault_armed))
        log_event(LOG_WARNING, "faults are armed", LOG_STRING("points", plan));
    else if (were_armed)
        log_event(LOG_WARNING, "no faults are armed any more", LOG_STRING("points", ""));
}

static void collect(void *context)
{
    (void)context;
    for (enum fault_point i = 0; i < FAULT_POINTS; i++) {
        uint64_t count = fault_count(i);
        if (count > 0)
            metric_set(metric_series(METRIC_FAULTS, fault_table[i].name), (int64_t)count);
    }
}

enum err fault_settings_count(void)
{
    return metric_collect(collect, &fault_armed);
}

void fault_settings_count_end(void)
{
    metric_collect_end(&fault_armed);
}
