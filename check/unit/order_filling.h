/*
 * Order databases of many orders, made by the workflow itself: placed, reserved and paid, with the events that follow
 * and an answer by an idempotency key for each.
 */
#ifndef TANDEM_CHECK_UNIT_ORDER_FILLING_H
#define TANDEM_CHECK_UNIT_ORDER_FILLING_H

#include "state/migrate.h"

enum { FILLING_SETS = 3 };

/** The migrations of an order service. */
void filling_sets(struct migration_set sets[static FILLING_SETS]);

/** An order service's database, opened, brought up to date and started. Fails the case when it cannot be. */
struct db *filling_open(const struct db_opts *opts);

/** Adds orders, some hundred in a transaction. */
enum err filling_add(struct db *db, unsigned count);

#endif
