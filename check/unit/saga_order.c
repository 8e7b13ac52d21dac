#include "config.h"

#include <assert.h>
#include <string.h>

#include "app/service.h"
#include "apps/order/events.h"
#include "apps/order/payment_record.h"
#include "apps/order/store.h"
#include "check/harness/suite.h"
#include "check/unit/saga_sides.h"
#include "check/unit/scratch.h"

/* A time that is later than all that clocks say, and leases that end later still. */
#define NOW_US INT64_C(4000000000000000)
#define LEASE_US INT64_C(1000000000000000)

enum { ARENA_MAX_BYTES = 64 * 1024, ROWS_MAX = 32 };

static const struct service_definition definition = {.name = "order"};
static struct service service = {.definition = &definition};
static char ids[SAGA_ORDERS_MAX][ID_SIZE];
static struct payment_due taken[SAGA_ORDERS_MAX][2];    /* as they were taken last: the charge, the refund */

const char *const saga_message_types[SAGA_MESSAGES] = {
    [SAGA_ORDER_PLACED] = "order.placed.v1",     [SAGA_ORDER_PAID] = "order.paid.v1",
    [SAGA_ORDER_CANCELLED] = "order.cancelled.v1", [SAGA_STOCK_RESERVED] = "stock.reserved.v1",
    [SAGA_STOCK_REJECTED] = "stock.rejected.v1", [SAGA_STOCK_EXPIRING] = "stock.expiring.v1",
};

enum err saga_collect(struct db_connection *db,
                      void (*took)(void *context, enum saga_message message, struct text subject, struct text data),
                      void *context)
{
    struct db_statement *row = db_query(db, "SELECT type, subject, data FROM outbox ORDER BY position");
    bool any = false;
    while (db_next(row)) {
        any = true;
        for (unsigned i = 0; i < SAGA_MESSAGES; i++) {
            if (text_equal_string(db_text(row, 0), saga_message_types[i]))
                took(context, (enum saga_message)i, db_text(row, 1), db_text(row, 2));
        }
    }
    enum err err = db_done(row);
    return err || !any ? err : db_run(db_query(db, "DELETE FROM outbox"), NULL);
}

struct db *saga_order_open(const char *path)
{
    const struct migration_set sets[] = {events_migrations, order_migrations};
    struct db_opts opts = scratch_db_opts(path);
    struct db *db;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(db, sets, 2), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    return db;
}

const char *saga_order_id(int order)
{
    return ids[order];
}

/* ---- what happens to an order ---- */

static enum err apply(struct db_connection *db, enum order_event event, struct order *order)
{
    struct order_change change = {
        .db = db,
        .emit = order_emit_event,
        .emitter = &service,
        .event = event,
        .cause = TEXT("the test"),
        .now_us = NOW_US,
    };
    bool applied;
    return order_apply(&change, order, &applied);
}

static enum err apply_to_stored(struct db_connection *db, enum order_event event, int order)
{
    struct arena arena;
    struct order stored;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = store_order_find(db, &arena, text_of(ids[order]), &stored);
    if (!err)
        err = apply(db, event, &stored);
    arena_fini(&arena);
    return err;
}

enum err saga_order_place(struct db_connection *db, int order, int64_t quantity)
{
    const struct money price = {100, currency_find(TEXT("EUR"))}, total = {100 * quantity, price.currency};
    struct order_line line = {TEXT("tea"), TEXT("Green tea"), quantity, price, total};
    struct order placed = {
        .id = text_of(id_new(ids[order])),
        .user_id = TEXT("0190a000-0000-7000-8000-000000000001"),
        .total = total,
        .lines = &line,
        .line_count = 1,
        .created_us = NOW_US,
    };
    return apply(db, ORDER_PLACE, &placed);
}

enum err saga_order_cancel(struct db_connection *db, int order)
{
    return apply_to_stored(db, ORDER_CANCEL, order);
}

enum err saga_order_nudge(struct db_connection *db, int order)
{
    return apply_to_stored(db, ORDER_NUDGE, order);
}

enum err saga_order_deliver(struct db_connection *db, enum saga_message message, int order, struct text data)
{
    const struct event event = {.type = text_of(saga_message_types[message]), .subject = text_of(ids[order]),
                                .data = data};
    for (size_t i = 0; i < order_handler_count; i++) {
        if (text_equal_string(event.type, order_handlers[i].type))
            return order_handlers[i].work(db, &event, &service);
    }
    return err_because(ERR_NOT_FOUND, "order does not follow %s", saga_message_types[message]);
}

/* ---- payment ---- */

static int number_of(const char *id)
{
    for (int i = 0; i < SAGA_ORDERS_MAX; i++) {
        if (strcmp(ids[i], id) == 0)
            return i;
    }
    return -1;
}

enum err saga_order_take(struct db_connection *db, struct saga_taken ret[static SAGA_ORDERS_MAX], size_t *ret_count)
{
    struct payment_due due[SAGA_ORDERS_MAX];
    int64_t next_us;
    enum err err = payment_store_take(db, NOW_US, LEASE_US, due, SAGA_ORDERS_MAX, ret_count, &next_us);
    for (size_t i = 0; i < *ret_count && !err; i++) {
        ret[i] = (struct saga_taken){number_of(due[i].order_id), due[i].is_refund};
        taken[ret[i].order][due[i].is_refund] = due[i];
    }
    return err;
}

enum err saga_order_record(struct db_connection *db, int order, bool is_refund, enum saga_outcome outcome)
{
    static const enum payment_outcome outcomes[] = {PAYMENT_UNKNOWN, PAYMENT_APPROVED, PAYMENT_DECLINED};
    const struct payment_answer answer = {.outcome = outcomes[outcome]};
    struct payment_record record = {&taken[order][is_refund], &answer, NOW_US, NOW_US, order_emit_event, &service};
    return payment_record(db, &record);
}

enum err saga_order_resume(struct db_connection *db)
{
    return payment_store_resume(db, NOW_US);
}

/* ---- looking ---- */

static uint8_t find(struct text name, const char *const *names, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        if (names[i] && text_equal_string(name, names[i]))
            return i;
    }
    return UINT8_MAX;
}

enum err saga_order_look(struct db_connection *db, int order, struct saga_order_view *ret)
{
    static const char *const statuses[] = {NULL, "placed", "reserved", "paid", "shipped", "rejected", "cancelled"};
    static const char *const payments[] = {NULL,     "due",        "approved", "declined",
                                           "voided", "refund_due", "refunded"};
    struct db_statement *row =
        db_query(db, "SELECT o.status, p.state, p.due_us, p.attempts FROM orders o LEFT JOIN payment p"
                     " ON p.order_id = o.id WHERE o.id = $1");
    db_bind_string(row, 1, ids[order]);
    memset(ret, 0, sizeof *ret);
    while (db_next(row)) {
        ret->status = find(db_text(row, 0), statuses, 7);
        if (!db_is_null(row, 1))
            ret->payment = find(db_text(row, 1), payments, 7);
        if (!db_is_null(row, 2))
            ret->time = db_int(row, 2) > NOW_US ? SAGA_LEASED : SAGA_NOW;
        ret->attempted = db_int(row, 3) > 0;
    }
    return db_done(row);
}

/* ---- planted faults ---- */

struct planting {
    enum order_state from;
    enum order_event event;
    enum order_state next;        /* ORDER_NEW: the row is left out */
    enum order_state like_from;   /* the row whose action it has */
    enum order_event like_event;
};

static const struct planting plantings[SAGA_FAULTS] = {
    [SAGA_NO_REFUND] = {.from = ORDER_CANCELLED, .event = ORDER_PAYMENT_APPROVED},
    [SAGA_EXPIRY_CANCELS_PAID] = {ORDER_PAID, ORDER_EXPIRE, ORDER_CANCELLED, ORDER_PLACED, ORDER_CANCEL},
    [SAGA_DECLINED_IS_IGNORED] = {.from = ORDER_RESERVED, .event = ORDER_PAYMENT_DECLINED},
    [SAGA_APPROVAL_REVIVES] = {ORDER_CANCELLED, ORDER_PAYMENT_APPROVED, ORDER_PAID, ORDER_RESERVED,
                               ORDER_PAYMENT_APPROVED},
    [SAGA_EXPIRY_IS_NOT_ANSWERED] = {.from = ORDER_CANCELLED, .event = ORDER_EXPIRE},
};

void saga_order_plant(enum saga_fault fault)
{
    static struct order_transition rows[ROWS_MAX];
    const struct planting *planting = &plantings[fault];
    size_t count = 0;
    order_transitions_use(NULL, 0);
    if (fault == SAGA_NO_FAULT)
        return;
    assert(order_transition_count <= ROWS_MAX);
    for (size_t i = 0; i < order_transition_count; i++) {
        struct order_transition row = order_transitions[i];
        bool here = row.from == planting->from && row.event == planting->event;
        if (here && planting->next == ORDER_NEW)
            continue;
        if (here) {
            row.next = planting->next;
            row.action = order_transition_find(planting->like_from, planting->like_event)->action;
        }
        rows[count++] = row;
    }
    order_transitions_use(rows, count);
}
