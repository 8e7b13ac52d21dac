/*
 * Which parts of traces are kept, by OpenTelemetry's samplers. Live: any thread.
 */
#ifndef TANDEM_TELEMETRY_TRACE_SAMPLER_H
#define TANDEM_TELEMETRY_TRACE_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "telemetry/trace.h"

/* Those that are parent-based do as the parent did, and as they are called when there is none. */
enum trace_sampler {
    TRACE_ALWAYS_ON, TRACE_ALWAYS_OFF, TRACE_RATIO, TRACE_PARENT_ALWAYS_ON, TRACE_PARENT_ALWAYS_OFF,
    TRACE_PARENT_RATIO,
};

#define TRACE_SAMPLERS                                                                                              \
    "always_on|always_off|traceidratio|parentbased_always_on|parentbased_always_off|parentbased_traceidratio"

struct trace_sampling {
    bool enabled;              /* false: nothing is recorded, and a traceparent is passed on as it came */
    enum trace_sampler sampler;
    double ratio;              /* 0 to 1: of all traces */
    unsigned slow_ms;          /* what took longer is kept; 0: nothing for that */
};

/** By the names above. ERR_INVALID; *ret is then untouched. */
enum err must_check trace_sampler_of(struct text name, enum trace_sampler *ret);

/** "0.25": digits with at most one point, from 0 to 1. ERR_INVALID. */
enum err must_check trace_ratio_of(struct text text, double *ret);

/** From now on, for parts that begin. Before the first call nothing is enabled. */
void trace_sampling_set(const struct trace_sampling *sampling);

bool trace_is_enabled(void);

/** Whether it is sampled at its head. The ratio is compared as the SDKs of Go, Java and .NET do: with the 63 bits of
 *  the trace id above its lowest, so that all decide alike. parent may be NULL. */
bool trace_is_sampled(const unsigned char trace_id[static TRACE_ID_BYTES], const struct trace_context *parent);

/** Whether what took so long is kept for that. */
bool trace_is_slow(int64_t duration_ns);

#endif
