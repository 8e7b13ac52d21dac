/* tandem-inventory: items, their prices and their stock. */
#include "config.h"

#include <stdlib.h>

#include "app/service.h"
#include "apps/inventory/events.h"
#include "apps/inventory/expiry.h"
#include "apps/inventory/inventory.h"
#include "apps/inventory/routes.h"
#include "apps/inventory/store.h"
#include "base/clock.h"
#include "conf/settings.h"

static enum err expire(void *context, struct db_connection *reader, bool *ret_more)
{
    struct service *service = context;
    struct settings *settings = current_take(&service->current);
    int64_t lifetime_us = settings_int(settings, OPTION_STOCK_RESERVATION_TTL_S) * US_PER_S;
    unsigned asked;
    settings_unref(settings);
    enum err err = expiry_step(service, reader, lifetime_us, clock_wall_us(), &asked);
    if (!err)
        *ret_more = asked == EXPIRY_STEP_MAX;
    return err;
}

static void stop(struct service *service)
{
    struct inventory *inventory = service->app;
    background_stop(inventory->background);
    item_cache_free(inventory->items);
    free(inventory);
    service->app = NULL;
}

static enum err start(struct service *service)
{
    struct inventory *inventory = calloc(1, sizeof *inventory);
    const struct background_opts opts = {
        .db = service->db,
        .what = "expiring reservations",
        .interval_ms = EXPIRY_INTERVAL_MS,
        .step = expire,
        .context = service,
    };
    if (!inventory)
        return err_because(ERR_MEMORY, "no memory for the service's own");
    service->app = inventory;
    enum err err = item_cache_new(service, &inventory->items);
    if (!err)
        err = background_start(&opts, &inventory->background);
    if (err)
        stop(service);
    return err;
}

int main(int argc, char **argv)
{
    const struct service_definition definition = {
        .name = "inventory",
        .summary = "items, their prices and their stock",
        .endpoints = inventory_endpoints,
        .endpoint_count = inventory_endpoint_count,
        .migrations = &inventory_migrations,
        .handlers = inventory_handlers,
        .handler_count = inventory_handler_count,
        .start = start,
        .stop = stop,
    };
    return service_main(&definition, argc, argv);
}
