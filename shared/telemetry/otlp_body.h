/*
 * The body of a request: a batch put together, and compressed when it is to be. One thread at a time.
 */
#ifndef TANDEM_TELEMETRY_OTLP_BODY_H
#define TANDEM_TELEMETRY_OTLP_BODY_H

#include "telemetry/otlp_queue.h"

/** Writes it into out. ERR_MEMORY, also when it is larger than out's ceiling. */
enum err must_check otlp_body_write(const struct otlp_encoding *encoding, const struct otlp_resource *resource,
                                    const struct otlp_batch *batch, bool gzip, struct buf *out);

#endif
