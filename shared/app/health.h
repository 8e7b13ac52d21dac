/*
 * What every service answers beside its own API: /ping, /healthz, /readyz, /metrics, /version, /traces.
 */
#ifndef TANDEM_APP_HEALTH_H
#define TANDEM_APP_HEALTH_H

#include <stddef.h>

#include "app/call.h"

/** The rows of these endpoints, which every service's table begins with. */
extern const struct endpoint common_endpoints[];
extern const size_t common_endpoint_count;

#endif
