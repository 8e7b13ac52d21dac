/*
 * Traces as the settings have them: the recorder, the memory of recent traces, and where the exporter is opened.
 */
#ifndef TANDEM_APP_TRACE_SETTINGS_H
#define TANDEM_APP_TRACE_SETTINGS_H

#include "base/err.h"
#include "conf/settings.h"

struct service;

/** The part. What is not needed to serve, such as the file of recent traces, does not keep a service from starting:
 *  that is logged, and goes on without it. ERR_MEMORY, and what trace_export_open() says. */
enum err must_check trace_settings_start(struct service *service);
void trace_settings_stop(struct service *service);

/** Says what became of spans that were sent; every second. While the part runs. */
void trace_settings_measure(void);

/** Applies those that are live: whether, which sampler, which ratio, what is slow. At every reload; any thread. */
void trace_settings_apply(const struct settings *settings);

#endif
