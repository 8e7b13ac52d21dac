/*
 * The options of payment, as the settings have them, and what has to hold of them for the service to start.
 */
#ifndef TANDEM_ORDER_PAYMENT_SETTINGS_H
#define TANDEM_ORDER_PAYMENT_SETTINGS_H

#include "apps/order/payment.h"
#include "conf/settings.h"

extern const struct settings_rules payment_rules;

/** Opens the gateway that the settings name. What payment_open() says; ERR_CONFIG when the sandbox has no place. */
enum err must_check payment_settings_open(const struct settings *settings, struct payment **ret);

#endif
