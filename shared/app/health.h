/*
 * What every service answers beside its own API: /ping, /healthz, /readyz, /metrics, /version, /traces.
 *
 * /healthz tells whether this process can do its work with what it holds itself, /readyz also of what it needs, and
 * whether it takes requests. Both are answered with what the checks (app/checks.h) found within health.cache_ms,
 * without a worker and without holding up a lane. The rows are in health_checks.c.
 */
#ifndef TANDEM_APP_HEALTH_H
#define TANDEM_APP_HEALTH_H

#include <stddef.h>

#include "app/call.h"
#include "app/checks.h"

struct health;

enum health_state { HEALTH_OK, HEALTH_DEGRADED, HEALTH_FAILED };

enum { HEALTH_NOTE_SIZE = CHECK_CAUSE_SIZE + 64 };

struct health_verdict {
    enum health_state state;
    char note[HEALTH_NOTE_SIZE];           /* the check that is worst off, and why; "" when all are well */
};

/** What /readyz would say, of the latest answers of the checks, and has them made again. Never blocks; one thread,
 *  while the part runs. */
void health_verdict(struct service *service, struct health_verdict *ret);

/** The rows of these endpoints, which every service's table begins with. */
extern const struct endpoint common_endpoints[];
extern const size_t common_endpoint_count;

/** The part: sets service->health. Before the server, whose first request may ask. ERR_MEMORY. */
enum err must_check health_start(struct service *service);

/** Ends the checks; before anything that they look at goes. No call may be under way. Again does nothing. */
void health_stop(struct service *service);

/* What it means for the whole that a check fails. */
enum health_weight {
    HEALTH_HARD,       /* failed: answered 503 */
    HEALTH_SOFT,       /* degraded: it serves, and somebody should look */
    HEALTH_NEEDED,     /* the same, unless health.needs_hard says that it is hard */
};

struct health_row {
    struct check check;                       /* its context is the struct service */
    enum health_weight weight;
    bool is_quick;                            /* never waits: looked at for every answer, on the asker's thread */
    bool (*applies)(const struct service *service);   /* NULL: always */
};

/* The table, in the order it is told in. */
extern const struct health_row health_rows[];
extern const size_t health_row_count;

#endif
