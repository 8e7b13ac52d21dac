/*
 * Which items there are (cache/filter.h), so that one that somebody made up is not read, and is not there to be found
 * either: beside the database (-filter), for all processes of this machine. A thread of each process stands by to list
 * what is new, when a look has found that it is time, or all; the first that comes does it for all of them.
 */
#ifndef TANDEM_INVENTORY_ITEM_FILTER_H
#define TANDEM_INVENTORY_ITEM_FILTER_H

#include "app/service.h"
#include "base/err.h"
#include "cache/filter.h"

struct item_filter;

/** *ret is NULL when cache.item_filter_keys is 0. ERR_CONFIG, ERR_MEMORY, ERR_STORAGE, ERR_STORAGE_FULL. */
enum err must_check item_filter_new(struct service *service, struct item_filter **ret);

/** After the last look, before the database is closed. NULL is fine. */
void item_filter_free(struct item_filter *items);

/** For the cache of items; NULL is fine. */
struct filter *item_filter_keys(const struct item_filter *items);

#endif
