/*
 * /metrics, and what a service knows of itself, put into metrics: what is counted is counted where it happens.
 */
#ifndef TANDEM_APP_METRICS_H
#define TANDEM_APP_METRICS_H

#include "app/call.h"

/** The handler of /metrics: in Prometheus' text format, or in OpenMetrics when that is what Accept prefers. */
enum err metrics_page(struct call *call);

/** A part: opens the store that the processes of the service share, beside the database. Where that cannot be had, the
 *  metrics are of this process alone; metrics_tell() logs it, once the service has started: what keeps it from that is
 *  to be the only thing that is said. */
enum err must_check metrics_start(struct service *service);
void metrics_tell(const struct service *service);
void metrics_stop(struct service *service);

/** Whether metrics are on. */
void metrics_reload(const struct settings *settings);

/** Says what this process is doing now. Main thread and lanes; while the parts run. */
void metrics_measure(struct service *service);

#endif
