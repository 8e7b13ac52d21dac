/*
 * /metrics: what this process counts, in Prometheus' text format.
 */
#ifndef TANDEM_APP_METRICS_H
#define TANDEM_APP_METRICS_H

#include "app/call.h"

/** The handler of /metrics. */
enum err metrics_page(struct call *call);

#endif
