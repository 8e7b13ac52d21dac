/*
 * What the gateway tells by itself ("webhooks"). It tells us where to look and never what there is: whatever it says of
 * an order's payment, the payment is asked about with our own key.
 */
#ifndef TANDEM_ORDER_PAYMENT_STRIPE_NOTICE_H
#define TANDEM_ORDER_PAYMENT_STRIPE_NOTICE_H

#include "apps/order/payment_stripe.h"

/** As payment_notice_read(). Blocks for as long as a small file takes to be read. */
enum err must_check stripe_notice_read(const struct stripe *stripe, const struct payment_notice *notice,
                                       struct payment_news *ret);

/** Reads one that is genuine. ERR_MALFORMED, ERR_MEMORY. */
enum err must_check stripe_notice_understand(struct text body, struct payment_news *ret);

/** Whether the file of secrets has any. ERR_CONFIG with a cause; ERR_IO when it cannot be read. */
enum err must_check stripe_secrets_check(const char *path);

#endif
