/*
 * One POST after another to an OTLP receiver, over libcurl and a kept connection. Used by one thread, but for
 * otlp_sender_stop_at().
 */
#ifndef TANDEM_TELEMETRY_OTLP_SENDER_H
#define TANDEM_TELEMETRY_OTLP_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "telemetry/otlp_exporter.h"

enum { OTLP_ANSWER_MAX_BYTES = 64 * 1024 };

struct otlp_answer {
    int status;
    int64_t retry_after_ms;      /* 0: it does not say */
    struct text body;            /* absent when it was cut off or too large; valid until the next post */
};

struct otlp_sender;

/** Takes endpoint, gzip and headers from opts. ERR_CONFIG, ERR_MEMORY. Any thread. */
enum err must_check otlp_sender_new(const struct otlp_exporter_opts *opts, const char *content_type,
                                    struct otlp_sender **ret);

/** NULL is fine. */
void otlp_sender_free(struct otlp_sender *sender);

/**
 * Sends a body. ERR_NONE whenever a status came; ERR_UNAVAILABLE when the receiver cannot be reached or breaks off,
 * ERR_DEADLINE after timeout_ms, ERR_PROTOCOL when it does not speak HTTP, ERR_CLOSED when the time to stop has come,
 * ERR_MEMORY. On failure ret is untouched.
 */
enum err must_check otlp_sender_post(struct otlp_sender *sender, struct text body, unsigned timeout_ms,
                                     struct otlp_answer *ret);

/** From this monotonic time on no post goes on. Any thread. */
void otlp_sender_stop_at(struct otlp_sender *sender, int64_t stop_ns);

#endif
