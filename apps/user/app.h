/*
 * What the user service holds beside what every service has: service->app.
 */
#ifndef TANDEM_APPS_USER_APP_H
#define TANDEM_APPS_USER_APP_H

#include "apps/user/attempts.h"
#include "telemetry/metric.h"

struct user_app {
    struct attempts *attempts;
    struct metric_series refused_account, refused_source;   /* attempts over a limit */
};

#endif
