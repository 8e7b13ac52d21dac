/*
 * Inventory's endpoints: HTTP only, the rules are elsewhere.
 */
#ifndef TANDEM_INVENTORY_ROUTES_H
#define TANDEM_INVENTORY_ROUTES_H

#include <stddef.h>

#include "app/call.h"

extern const struct endpoint inventory_endpoints[];
extern const size_t inventory_endpoint_count;

#endif
