/*
 * Money: an amount in minor units of an ISO 4217 currency, with checked arithmetic. The kernel that every bounded
 * context shares. Pure functions: any thread.
 */
#ifndef TANDEM_BASE_MONEY_H
#define TANDEM_BASE_MONEY_H

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum { MONEY_TEXT_SIZE = 40 };

struct currency {
    char code[4];          /* ISO 4217 alphabetic, "EUR" */
    unsigned exponent;     /* decimal digits of the minor unit: EUR 2, JPY 0, KWD 3 */
};

struct money {
    int64_t amount_minor;
    const struct currency *currency;   /* a row of the table; never NULL in a valid value */
};

/** The currency with this code, upper case; NULL when ISO 4217 has none with a minor unit. */
const struct currency *currency_find(struct text code);

/** a + b. ERR_INVALID when the currencies differ or the sum does not fit. */
enum err must_check money_add(struct money a, struct money b, struct money *ret);

/** a * factor. ERR_INVALID when it does not fit. */
enum err must_check money_multiply(struct money a, int64_t factor, struct money *ret);

/** For people: "12.50 EUR", "-0.05 USD", "1200 JPY"; returns out. */
char *money_text(struct money money, char out[static MONEY_TEXT_SIZE]);

#endif
