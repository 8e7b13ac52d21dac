#include "config.h"

#include "apps/inventory/events.h"
#include "apps/inventory/expiry.h"
#include "apps/inventory/stock.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_INVENTORY

enum { ARENA_MAX_BYTES = 16 * 1024 };

struct step {
    struct service *service;
    struct text order_ids[EXPIRY_STEP_MAX];
    size_t count;
    int64_t before_us, now_us;
    unsigned asked;                  /* in this run of the transaction */
};

static enum err ask(struct db_connection *db, void *context)
{
    struct step *step = context;
    enum err err = ERR_NONE;
    step->asked = 0;
    for (size_t i = 0; i < step->count && !err; i++) {
        bool asked = false;
        err = stock_ask(db, step->order_ids[i], step->before_us, step->now_us, &asked);
        if (!err && asked)
            err = stock_say_expiring(step->service, db, step->order_ids[i]);
        step->asked += asked;
    }
    return err;
}

enum err expiry_step(struct service *service, struct db_connection *reader, int64_t lifetime_us, int64_t now_us,
                     unsigned *ret_asked)
{
    struct step step = {.service = service, .before_us = now_us - lifetime_us, .now_us = now_us};
    struct arena arena;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err =
        store_reservation_waiting(reader, &arena, step.before_us, step.order_ids, EXPIRY_STEP_MAX, &step.count);
    if (!err && step.count > 0)
        err = db_write(service->db, ask, &step);
    arena_fini(&arena);
    if (err)
        return err;
    metric_add(metric_series(METRIC_RESERVATIONS_EXPIRED), step.asked);
    if (step.asked > 0)
        log_event(LOG_WARNING, "reservations have expired; their orders are asked", LOG_INT("orders", step.asked));
    *ret_asked = step.asked;
    return ERR_NONE;
}
