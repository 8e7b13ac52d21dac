/*
 * Placing an order: the rules of what may be ordered, and what it costs. No HTTP, no SQL.
 *
 * Faults name the member of the request they are about (RFC 6901).
 */
#ifndef TANDEM_ORDER_PLACE_H
#define TANDEM_ORDER_PLACE_H

#include <stdint.h>

#include "apps/order/order.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "state/db.h"

struct place_line {
    struct text sku;
    int64_t quantity;
};

/* The body of POST /v1/orders. */
struct place_input {
    struct json_array lines;         /* of struct place_line */
    struct secret payment_method;    /* absent: the gateway's default */
};

/* The shape of that body; the ceilings of its numbers are the caller's settings, checked by place_check(). */
extern const struct json_field place_fields[];

struct place_limits {
    int64_t lines_max, quantity_max;
};

/** Whether this may be a payment method: 1 to PAYMENT_METHOD_MAX printable ASCII characters, and no card number. */
bool place_method_is_valid(struct text method);

/** The rules that need no data: how many lines, how many pieces, each sku once. ERR_INVALID with faults. */
enum err must_check place_check(const struct place_input *input, const struct place_limits *limits,
                                struct arena *arena, struct json_faults *faults);

/** Fills order->lines and order->total from the known items. ERR_INVALID with faults: an unknown item, two currencies,
 *  a total beyond what can be said. */
enum err must_check place_price(struct db_connection *db, const struct place_input *input, struct arena *arena,
                                struct json_faults *faults, struct order *order);

#endif
