/*
 * The two sides of an order's way, as the exhaustive test of it (saga.h) stands on them: the real handlers, workflow
 * and stores of the order service and of inventory, each on a database of its own. Every function runs on that
 * side's writing connection, in the transaction under way.
 *
 * The sides are two files, since the applications may not include each other; inventory's sources are compiled once
 * more for it, with the names that both use changed (apps_saga.mk).
 */
#ifndef TANDEM_CHECK_UNIT_SAGA_SIDES_H
#define TANDEM_CHECK_UNIT_SAGA_SIDES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "state/db.h"

enum saga_message {
    SAGA_ORDER_PLACED,
    SAGA_ORDER_PAID,
    SAGA_ORDER_CANCELLED,
    SAGA_STOCK_RESERVED,
    SAGA_STOCK_REJECTED,
    SAGA_STOCK_EXPIRING,
    SAGA_MESSAGES,
};

extern const char *const saga_message_types[SAGA_MESSAGES];

enum { SAGA_ORDERS_MAX = 2, SAGA_DATA_SIZE = 512 };

/** Takes what a side has put into its outbox; took is called for each that somebody follows. */
enum err saga_collect(struct db_connection *db,
                      void (*took)(void *context, enum saga_message message, struct text subject, struct text data),
                      void *context);

/* ---- order ---- */

enum saga_status { SAGA_PLACED = 1, SAGA_RESERVED, SAGA_PAID, SAGA_SHIPPED, SAGA_REJECTED, SAGA_CANCELLED };
enum saga_payment {
    SAGA_NO_PAYMENT,
    SAGA_DUE,
    SAGA_APPROVED,
    SAGA_DECLINED,
    SAGA_VOIDED,
    SAGA_REFUND_DUE,
    SAGA_REFUNDED,
};
enum saga_time { SAGA_NEVER, SAGA_NOW, SAGA_LEASED };     /* when to ask for a payment */
enum saga_outcome { SAGA_IS_UNKNOWN, SAGA_IS_APPROVED, SAGA_IS_DECLINED };

struct saga_order_view {
    uint8_t status, payment, time, attempted;
};

/* What a taken payment is. */
struct saga_taken {
    int order;                    /* its number; -1: of none that the test knows */
    bool is_refund;
};

struct db *saga_order_open(const char *path);

/** Places the order of this number, of quantity pieces. */
enum err saga_order_place(struct db_connection *db, int order, int64_t quantity);
const char *saga_order_id(int order);

enum err saga_order_deliver(struct db_connection *db, enum saga_message message, int order, struct text data);
enum err saga_order_cancel(struct db_connection *db, int order);
enum err saga_order_nudge(struct db_connection *db, int order);

/** Takes all payments that are due, and leases them. */
enum err saga_order_take(struct db_connection *db, struct saga_taken ret[static SAGA_ORDERS_MAX], size_t *ret_count);
enum err saga_order_record(struct db_connection *db, int order, bool is_refund, enum saga_outcome outcome);

/** Makes those due that are leased: another process has taken over. */
enum err saga_order_resume(struct db_connection *db);

enum err saga_order_look(struct db_connection *db, int order, struct saga_order_view *ret);

/* Tables of transitions that are wrong. */
enum saga_fault {
    SAGA_NO_FAULT,
    SAGA_NO_REFUND,               /* a charge that lost the race is not given back */
    SAGA_EXPIRY_CANCELS_PAID,     /* an order that is paid is cancelled by an expiry */
    SAGA_DECLINED_IS_IGNORED,
    SAGA_APPROVAL_REVIVES,        /* a cancelled order becomes paid */
    SAGA_EXPIRY_IS_NOT_ANSWERED,  /* by an order that is cancelled already */
    SAGA_FAULTS,
};
void saga_order_plant(enum saga_fault fault);

/* ---- inventory ---- */

enum saga_stock { SAGA_UNHEARD, SAGA_HELD, SAGA_SOLD, SAGA_RELEASED };

struct saga_stock_view {
    int64_t on_hand, reserved;
    uint8_t stock[SAGA_ORDERS_MAX];
};

struct db *saga_inventory_open(const char *path, int64_t on_hand);
enum err saga_inventory_deliver(struct db_connection *db, enum saga_message message, int order, struct text data);

/** The reservation's time is up. */
enum err saga_inventory_expire(struct db_connection *db, int order);

/** What inventory would do if it decided by itself: gives the stock back at once, and tells. For a planted fault. */
enum err saga_inventory_expire_rashly(struct db_connection *db, int order);

enum err saga_inventory_look(struct db_connection *db, int orders, struct saga_stock_view *ret);

#endif
