#include "config.h"

#include <string.h>

#include "apps/order/store.h"
#include "apps/order/stuck.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_ORDER

enum { ORDER_MAX_BYTES = 4 * 1024 * 1024 };

static const enum order_state states[STUCK_STATES] = {ORDER_PLACED, ORDER_RESERVED};

struct step {
    struct stuck *stuck;
    int64_t now_us;
    char ids[STUCK_STEP_MAX][ID_SIZE];
    size_t count;
    char passed[STUCK_STATES][STUCK_LEVELS][ID_SIZE];   /* the cursors, once these are nudged */
    unsigned nudged[STUCK_STATES];                      /* in this run of the transaction */
};

/* ---- finding ---- */

/* Those that are stuck at the start are nudged once, and not for each age that they came to before. */
static void begin(struct stuck *stuck, int64_t after_us, int64_t now_us)
{
    for (size_t state = 0; state < STUCK_STATES; state++) {
        stuck->passed[state][0][0] = '\0';
        for (size_t level = 1; level < STUCK_LEVELS; level++)
            id_first_of(now_us - (after_us << level), stuck->passed[state][level]);
    }
    stuck->begun = true;
}

static enum err find(struct step *step, struct db_connection *reader, size_t state, size_t level, int64_t before_us)
{
    char before[ID_SIZE], (*ids)[ID_SIZE] = &step->ids[step->count], *passed = step->passed[state][level];
    size_t count = 0, room = STUCK_STEP_MAX - step->count;
    id_first_of(before_us, before);
    if (room == 0 || strcmp(before, passed) <= 0)
        return ERR_NONE;
    enum err err = store_order_range(reader, states[state], passed, before, ids, room, &count);
    if (err)
        return err;
    memcpy(passed, count == room ? ids[count - 1] : before, ID_SIZE);
    step->count += count;
    return ERR_NONE;
}

static enum err find_all(struct step *step, struct db_connection *reader, int64_t after_us)
{
    enum err err = ERR_NONE;
    memcpy(step->passed, step->stuck->passed, sizeof step->passed);
    for (size_t level = 0; level < STUCK_LEVELS && !err; level++) {
        for (size_t state = 0; state < STUCK_STATES && !err; state++)
            err = find(step, reader, state, level, step->now_us - (after_us << level));
    }
    return err;
}

/* ---- nudging ---- */

static enum err nudge(struct db_connection *db, struct step *step, struct text order_id, struct arena *arena)
{
    struct order_change change = {
        .db = db,
        .emit = step->stuck->emit,
        .emitter = step->stuck->emitter,
        .event = ORDER_NUDGE,
        .cause = TEXT("stuck"),
        .now_us = step->now_us,
    };
    struct order order;
    bool applied = false;
    enum err err = store_order_find(db, arena, order_id, &order);
    if (!err)
        err = order_apply(&change, &order, &applied);
    for (size_t i = 0; i < STUCK_STATES && applied; i++)
        step->nudged[i] += states[i] == order.state;
    return err;
}

static enum err nudge_all(struct db_connection *db, void *context)
{
    struct step *step = context;
    struct arena arena;
    enum err err = ERR_NONE;
    memset(step->nudged, 0, sizeof step->nudged);
    arena_init(&arena, ORDER_MAX_BYTES);
    for (size_t i = 0; i < step->count && !err; i++) {
        err = nudge(db, step, text_of(step->ids[i]), &arena);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return err;
}

enum err stuck_step(struct stuck *stuck, struct db_connection *reader, int64_t after_us, int64_t now_us,
                    unsigned *ret_nudged)
{
    struct step step = {.stuck = stuck, .now_us = now_us};
    unsigned nudged = 0;
    if (!stuck->begun)
        begin(stuck, after_us, now_us);
    enum err err = find_all(&step, reader, after_us);
    if (!err && step.count > 0)
        err = db_write(stuck->db, nudge_all, &step);
    if (err)
        return err;
    memcpy(stuck->passed, step.passed, sizeof stuck->passed);
    for (size_t i = 0; i < STUCK_STATES; i++) {
        metric_add(metric_series(METRIC_ORDER_NUDGES, order_state_name(states[i])), step.nudged[i]);
        nudged += step.nudged[i];
    }
    if (nudged > 0)
        log_event(LOG_WARNING, "orders are stuck, and nudged", LOG_INT("orders", nudged));
    *ret_nudged = nudged;
    return ERR_NONE;
}
