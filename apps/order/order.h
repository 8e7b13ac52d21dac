/*
 * An order, its states, and how it looks to clients and in events.
 *
 * Plain data and pure functions: any thread.
 */
#ifndef TANDEM_ORDER_ORDER_H
#define TANDEM_ORDER_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/json_write.h"
#include "base/money.h"
#include "base/secret.h"
#include "base/text.h"

/* ORDER_LINES_MAX is the highest that order.lines_max can be: so many lines, however long their skus and quantities,
 * fit into order.placed.v1. */
enum { SKU_MAX = 64, PAYMENT_METHOD_MAX = 64, ORDER_LINES_MAX = 2000 };

enum order_state {
    ORDER_NEW,            /* not stored yet */
    ORDER_PLACED,
    ORDER_RESERVED,
    ORDER_PAID,
    ORDER_SHIPPED,
    ORDER_REJECTED,
    ORDER_CANCELLED,
    ORDER_STATES,
};

struct order_line {
    struct text sku, name;           /* name and price as they were when the order was placed */
    int64_t quantity;
    struct money unit_price, total;
};

struct order {
    struct text id, user_id;
    enum order_state state;
    struct money total;
    struct secret payment_method;    /* the gateway's token; absent: the driver's default */
    struct order_line *lines;
    size_t line_count;
    int64_t version, created_us, updated_us;
};

/* Behind every order's id. */
#define ORDER_ID_LAST "~"

/* The request that a change goes back to, however many events later. Either may be absent. */
struct order_origin {
    struct text request_id, traceparent, tracestate;
};

/* One transition that an order made. */
struct order_step {
    enum order_state from, to;
    struct text cause;
    int64_t at_us;
};

/** "placed"; NULL for ORDER_NEW. */
const char *order_state_name(enum order_state state);

/** The state of a name; ORDER_NEW when there is none. */
enum order_state order_state_of(struct text name);

void order_write(struct json_writer *writer, const struct order *order);
void order_step_write(struct json_writer *writer, const struct order_step *step);

/** The data of order.placed.v1. */
void order_write_placed(struct json_writer *writer, const struct order *order);

#endif
