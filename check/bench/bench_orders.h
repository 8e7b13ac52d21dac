/*
 * Orders placed at once: COUNT durable orders from CONNECTIONS kept connections, timed from the first to the last.
 */
#ifndef TANDEM_CHECK_BENCH_BENCH_ORDERS_H
#define TANDEM_CHECK_BENCH_BENCH_ORDERS_H

#include "base/err.h"
#include "check/harness/system.h"

/* The item, and the body of an order for it. */
#define BENCH_SKU "bench-item"
#define BENCH_ORDER "{\"lines\":[{\"sku\":\"" BENCH_SKU "\",\"quantity\":1}]}"

enum { BENCH_ORDERS = 1000, BENCH_ORDER_CONNECTIONS = 64 };

/** Makes the item that is ordered, and places one order, as soon as order knows the item. */
enum err must_check bench_orders_prepare(struct system *system);

/** One round; seconds from the first request to the last answer. ERR_INTERNAL unless every order was placed. */
enum err must_check bench_orders_round(struct system *system, double *ret_seconds);

#endif
