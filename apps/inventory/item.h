/*
 * Items: what may be sold, at which price, and how much of it there is.
 *
 * Plain data and pure rules: any thread.
 */
#ifndef TANDEM_INVENTORY_ITEM_H
#define TANDEM_INVENTORY_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json_write.h"
#include "base/money.h"
#include "base/text.h"

enum { SKU_MAX = 64, ITEM_NAME_MAX = 200, REASON_MAX = 200 };

#define PRICE_MAX_MINOR INT64_C(1000000000000)
#define STOCK_MAX INT64_C(1000000000000)

struct item {
    struct text sku, name;
    struct money price;
    int64_t on_hand, reserved;   /* 0 <= reserved <= on_hand <= STOCK_MAX */
    int64_t version;             /* rises with every change of the item or its stock */
    int64_t updated_us;
};

/** Whether this is 1 to SKU_MAX of A-Z a-z 0-9 . _ - */
bool item_sku_is_valid(struct text sku);

/** Whether ISO 4217 has a currency with this code. */
bool item_currency_is_valid(struct text code);

/** The item as clients see it. */
void item_write(struct json_writer *writer, const struct item *item);

/** The data of item.changed.v1. */
void item_write_changed(struct json_writer *writer, const struct item *item);

#endif
