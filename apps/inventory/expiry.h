/*
 * Expiry: finds reservations that nobody has confirmed within stock.reservation_ttl_s, and has their orders asked,
 * which are cancelled by that unless they are paid (stock.h says why the stock is given back upon their word only).
 * One that does not answer is asked again after as long.
 *
 * One process of the service does it, in the background (app/background.h), in small steps.
 */
#ifndef TANDEM_INVENTORY_EXPIRY_H
#define TANDEM_INVENTORY_EXPIRY_H

#include "app/service.h"
#include "base/err.h"

enum { EXPIRY_INTERVAL_MS = 1000, EXPIRY_STEP_MAX = 16 };

/** One step, a transaction at the most: asks of up to EXPIRY_STEP_MAX orders that have waited for lifetime_us by
 *  now_us, the longest first. *ret_asked is how many. */
enum err must_check expiry_step(struct service *service, struct db_connection *reader, int64_t lifetime_us,
                                int64_t now_us, unsigned *ret_asked);

#endif
