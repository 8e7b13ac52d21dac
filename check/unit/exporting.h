/*
 * An exporter and a receiver for it, for tests of the one: begun, asked, and waited for.
 */
#ifndef TANDEM_CHECK_UNIT_EXPORTING_H
#define TANDEM_CHECK_UNIT_EXPORTING_H

#include "check/harness/otlp_receiver.h"
#include "check/harness/process.h"
#include "check/unit/spans.h"
#include "telemetry/otlp_exporter.h"

enum { EXPORTING_QUEUE_BYTES = 1024 * 1024, EXPORTING_CLOSE_MS = 10000, EXPORTING_PATIENCE_MS = 20000 };

extern struct exporting {
    struct otlp_receiver *receiver;
    struct otlp_exporter *exporter;      /* NULL: closed already */
    struct otlp_exporter_opts opts;
    char endpoint[128];                  /* what opts say, to be written anew */
} exporting;

/* What the exporter told of failures. */
struct exporting_told {
    unsigned count;
    size_t spans_lost;
    enum err err;                        /* of the latest */
};

/** A receiver that takes everything, and options to send to it in JSON, at once. */
void exporting_begin(void);
void exporting_open(void);
/** Closes the exporter first, so that what waits goes out. */
void exporting_end(void);

/** Adds a plain span. */
bool exporting_add(unsigned number);

struct otlp_exporter_stats exporting_stats(void);
struct exporting_told exporting_told(void);

/** Whether the latest cause that it told has this in it. */
bool exporting_was_told(const char *part);

/** How many spans the receiver took; SIZE_MAX when something of it is not by the schema. */
size_t exporting_received(void);

/** Waits until a counter is as large; false when it is not in time. */
bool exporting_comes(size_t counter_offset, uint64_t least);
#define COMES(counter, n) exporting_comes(offsetof(struct otlp_exporter_stats, counter), n)

#endif
