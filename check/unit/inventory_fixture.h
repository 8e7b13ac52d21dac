/*
 * What the tests of inventory share: a database, and its rules run as jobs of their own.
 */
#ifndef TANDEM_CHECK_UNIT_INVENTORY_FIXTURE_H
#define TANDEM_CHECK_UNIT_INVENTORY_FIXTURE_H

#include "apps/inventory/stock.h"
#include "check/unit/scratch.h"

struct fixture {
    struct scratch scratch;
    struct db *db;
    struct db_connection *reader;
    struct arena arena;            /* of what is read; dropped at the end */
};

extern struct fixture fixture;

void fixture_begin(void);
void fixture_end(void);

/** Makes or replaces an item priced in euros, and returns its version. */
int64_t fixture_put(const char *sku, const char *name, int64_t amount_minor);

/** Adds to stock. */
enum err fixture_move(const char *sku, int64_t delta);

/** Lines of "sku quantity" pairs: reserve("o1", {"tea", 2}, …). The short sku is in fixture_short. */
extern const char *fixture_short;
enum stock_result fixture_reserve(const char *order_id, const struct stock_line *lines, size_t count);
enum stock_result fixture_sell(const char *order_id);
enum stock_result fixture_release(const char *order_id);

/** Whether an item has this much on hand and reserved. */
bool fixture_holds(const char *sku, int64_t on_hand, int64_t reserved);

/** Whether the books are right: movements add up to what is on hand, reservations to what is reserved. */
bool fixture_adds_up(void);

#endif
