/*
 * The manual page of the metrics, made from their table: for whoever changes the table.
 */
#ifndef TANDEM_TELEMETRY_METRIC_PAGE_H
#define TANDEM_TELEMETRY_METRIC_PAGE_H

#include "base/buf.h"

/** tandem-metrics(7), in mdoc. */
void metric_manual(struct buf *out);

#endif
