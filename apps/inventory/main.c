/* tandem-inventory: items, their prices and their stock. */
#include "config.h"

#include "app/service.h"
#include "apps/inventory/events.h"
#include "apps/inventory/routes.h"
#include "apps/inventory/store.h"

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
    };
    return service_main(&definition, argc, argv);
}
