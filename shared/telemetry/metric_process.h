/*
 * What the kernel tells of this process, as metrics. For metric.c.
 */
#ifndef TANDEM_TELEMETRY_METRIC_PROCESS_H
#define TANDEM_TELEMETRY_METRIC_PROCESS_H

/** Registers its series and its collector. */
void metric_process_open(void);

#endif
