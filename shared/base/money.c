#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/money.h"

/*
 * ISO 4217 list one, as of January 2026 (Bulgaria in the euro), sorted by code. Left out are the codes that have no
 * minor unit and thus no amount here: metals, bond units, units of account, and those for testing and for no currency.
 */
static const struct currency currencies[] = {
    {"AED", 2}, {"AFN", 2}, {"ALL", 2}, {"AMD", 2}, {"AOA", 2}, {"ARS", 2}, {"AUD", 2}, {"AWG", 2}, {"AZN", 2},
    {"BAM", 2}, {"BBD", 2}, {"BDT", 2}, {"BHD", 3}, {"BIF", 0}, {"BMD", 2}, {"BND", 2}, {"BOB", 2}, {"BOV", 2},
    {"BRL", 2}, {"BSD", 2}, {"BTN", 2}, {"BWP", 2}, {"BYN", 2}, {"BZD", 2}, {"CAD", 2}, {"CDF", 2}, {"CHE", 2},
    {"CHF", 2}, {"CHW", 2}, {"CLF", 4}, {"CLP", 0}, {"CNY", 2}, {"COP", 2}, {"COU", 2}, {"CRC", 2}, {"CUP", 2},
    {"CVE", 2}, {"CZK", 2}, {"DJF", 0}, {"DKK", 2}, {"DOP", 2}, {"DZD", 2}, {"EGP", 2}, {"ERN", 2}, {"ETB", 2},
    {"EUR", 2}, {"FJD", 2}, {"FKP", 2}, {"GBP", 2}, {"GEL", 2}, {"GHS", 2}, {"GIP", 2}, {"GMD", 2}, {"GNF", 0},
    {"GTQ", 2}, {"GYD", 2}, {"HKD", 2}, {"HNL", 2}, {"HTG", 2}, {"HUF", 2}, {"IDR", 2}, {"ILS", 2}, {"INR", 2},
    {"IQD", 3}, {"IRR", 2}, {"ISK", 0}, {"JMD", 2}, {"JOD", 3}, {"JPY", 0}, {"KES", 2}, {"KGS", 2}, {"KHR", 2},
    {"KMF", 0}, {"KPW", 2}, {"KRW", 0}, {"KWD", 3}, {"KYD", 2}, {"KZT", 2}, {"LAK", 2}, {"LBP", 2}, {"LKR", 2},
    {"LRD", 2}, {"LSL", 2}, {"LYD", 3}, {"MAD", 2}, {"MDL", 2}, {"MGA", 2}, {"MKD", 2}, {"MMK", 2}, {"MNT", 2},
    {"MOP", 2}, {"MRU", 2}, {"MUR", 2}, {"MVR", 2}, {"MWK", 2}, {"MXN", 2}, {"MXV", 2}, {"MYR", 2}, {"MZN", 2},
    {"NAD", 2}, {"NGN", 2}, {"NIO", 2}, {"NOK", 2}, {"NPR", 2}, {"NZD", 2}, {"OMR", 3}, {"PAB", 2}, {"PEN", 2},
    {"PGK", 2}, {"PHP", 2}, {"PKR", 2}, {"PLN", 2}, {"PYG", 0}, {"QAR", 2}, {"RON", 2}, {"RSD", 2}, {"RUB", 2},
    {"RWF", 0}, {"SAR", 2}, {"SBD", 2}, {"SCR", 2}, {"SDG", 2}, {"SEK", 2}, {"SGD", 2}, {"SHP", 2}, {"SLE", 2},
    {"SOS", 2}, {"SRD", 2}, {"SSP", 2}, {"STN", 2}, {"SVC", 2}, {"SYP", 2}, {"SZL", 2}, {"THB", 2}, {"TJS", 2},
    {"TMT", 2}, {"TND", 3}, {"TOP", 2}, {"TRY", 2}, {"TTD", 2}, {"TWD", 2}, {"TZS", 2}, {"UAH", 2}, {"UGX", 0},
    {"USD", 2}, {"USN", 2}, {"UYI", 0}, {"UYU", 2}, {"UYW", 4}, {"UZS", 2}, {"VED", 2}, {"VES", 2}, {"VND", 0},
    {"VUV", 0}, {"WST", 2}, {"XAF", 0}, {"XCD", 2}, {"XCG", 2}, {"XOF", 0}, {"XPF", 0}, {"YER", 2}, {"ZAR", 2},
    {"ZMW", 2}, {"ZWG", 2},
};

static int compare_code(const void *code, const void *row)
{
    return memcmp(code, ((const struct currency *)row)->code, 3);
}

const struct currency *currency_find(struct text code)
{
    if (code.length != 3) {
        return NULL;
    }
    return bsearch(code.at, currencies, sizeof currencies / sizeof currencies[0], sizeof currencies[0], compare_code);
}

enum err money_add(struct money a, struct money b, struct money *ret)
{
    int64_t sum;

    assert(a.currency && b.currency);
    if (a.currency != b.currency) {
        return err_because(ERR_INVALID, "%s and %s cannot be added", a.currency->code, b.currency->code);
    }
    if (__builtin_add_overflow(a.amount_minor, b.amount_minor, &sum)) {
        return err_because(ERR_INVALID, "a sum in %s is too large", a.currency->code);
    }
    *ret = (struct money){sum, a.currency};
    return ERR_NONE;
}

enum err money_multiply(struct money a, int64_t factor, struct money *ret)
{
    int64_t product;

    assert(a.currency);
    if (__builtin_mul_overflow(a.amount_minor, factor, &product)) {
        return err_because(ERR_INVALID, "a multiple in %s is too large", a.currency->code);
    }
    *ret = (struct money){product, a.currency};
    return ERR_NONE;
}

char *money_text(struct money money, char out[static MONEY_TEXT_SIZE])
{
    assert(money.currency);
    bool negative = money.amount_minor < 0;
    uint64_t minor = negative ? -(uint64_t)money.amount_minor : (uint64_t)money.amount_minor;
    uint64_t unit = 1;

    for (unsigned i = 0; i < money.currency->exponent; i++) {
        unit *= 10;
    }
    int length = snprintf(out, MONEY_TEXT_SIZE, "%s%" PRIu64, negative ? "-" : "", minor / unit);
    if (unit > 1) {
        length += snprintf(out + length, MONEY_TEXT_SIZE - (size_t)length, ".%0*" PRIu64,
                           (int)money.currency->exponent, minor % unit);
    }
    snprintf(out + length, MONEY_TEXT_SIZE - (size_t)length, " %s", money.currency->code);
    return out;
}
