/* What the inventory service has beside what every service has: service->app. */
#ifndef TANDEM_INVENTORY_INVENTORY_H
#define TANDEM_INVENTORY_INVENTORY_H

#include "app/background.h"
#include "app/service.h"
#include "apps/inventory/item_cache.h"

struct inventory {
    struct background *background;
    struct item_cache *items;
};

/** NULL, where there is none, as in a test of rules. */
static inline struct item_cache *inventory_items(const struct service *service)
{
    const struct inventory *inventory = service->app;
    return inventory ? inventory->items : NULL;
}

#endif
