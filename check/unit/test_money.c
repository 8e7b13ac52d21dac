#include "config.h"

#include <string.h>

#include "base/money.h"
#include "check/harness/suite.h"

static struct money money_of(int64_t amount_minor, const char *code)
{
    return (struct money){amount_minor, currency_find(text_of(code))};
}

static void test_find(void)
{
    static const struct {
        const char *code;
        unsigned exponent;
    } rows[] = {
        {"AED", 2}, {"EUR", 2}, {"USD", 2}, {"JPY", 0}, {"KWD", 3}, {"BHD", 3}, {"CLF", 4}, {"UYW", 4}, {"ISK", 0},
        {"HUF", 2}, {"XAF", 0}, {"XCG", 2}, {"MRU", 2}, {"TND", 3}, {"VND", 0}, {"ZMW", 2}, {"ZWG", 2}, {"SLE", 2},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct currency *currency = currency_find(text_of(rows[i].code));
        CU_ASSERT_PTR_NOT_NULL_FATAL(currency);
        CU_ASSERT_STRING_EQUAL(currency->code, rows[i].code);
        CU_ASSERT_EQUAL(currency->exponent, rows[i].exponent);
    }
}

static void test_find_refuses(void)
{
    static const char *const rows[] = {"",    "E",   "EU",  "EURO", "eur", "Eur", "XXX",
                                       "XTS", "XAU", "XDR", "DEM",  "HRK", "AAA", "ZZZ"};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_PTR_NULL(currency_find(text_of(rows[i])));
    CU_ASSERT_PTR_NULL(currency_find(TEXT_NONE));
    CU_ASSERT_PTR_NULL(currency_find(TEXT("EU\0")));
}

/* The search is by halves, so a row out of order would be lost: every code that can be is tried. */
static void test_table_is_sorted(void)
{
    const struct currency *last = NULL;
    size_t found = 0;
    char code[4] = "";

    for (code[0] = 'A'; code[0] <= 'Z'; code[0]++) {
        for (code[1] = 'A'; code[1] <= 'Z'; code[1]++) {
            for (code[2] = 'A'; code[2] <= 'Z'; code[2]++) {
                const struct currency *currency = currency_find(text_of(code));
                if (!currency)
                    continue;
                CU_ASSERT(!last || currency == last + 1);
                CU_ASSERT(currency->exponent <= 4);
                last = currency;
                found++;
            }
        }
    }
    CU_ASSERT(found >= 160);
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    CU_ASSERT_STRING_EQUAL(last->code, "ZWG");
}

static void test_add(void)
{
    struct money sum = money_of(7, "JPY");

    CU_ASSERT_EQUAL(money_add(money_of(1250, "EUR"), money_of(-1300, "EUR"), &sum), ERR_NONE);
    CU_ASSERT_EQUAL(sum.amount_minor, -50);
    CU_ASSERT_STRING_EQUAL(sum.currency->code, "EUR");
    CU_ASSERT_EQUAL(money_add(money_of(INT64_MAX - 1, "EUR"), money_of(1, "EUR"), &sum), ERR_NONE);
    CU_ASSERT_EQUAL(sum.amount_minor, INT64_MAX);
}

static void test_add_refuses(void)
{
    struct money sum = money_of(7, "JPY");

    CU_ASSERT_EQUAL(money_add(money_of(1, "EUR"), money_of(1, "USD"), &sum), ERR_INVALID);
    CU_ASSERT_EQUAL(money_add(money_of(INT64_MAX, "EUR"), money_of(1, "EUR"), &sum), ERR_INVALID);
    CU_ASSERT_EQUAL(money_add(money_of(INT64_MIN, "EUR"), money_of(-1, "EUR"), &sum), ERR_INVALID);
    CU_ASSERT_EQUAL(sum.amount_minor, 7);
    CU_ASSERT_STRING_EQUAL(sum.currency->code, "JPY");
}

static void test_multiply(void)
{
    struct money product = money_of(7, "JPY");

    CU_ASSERT_EQUAL(money_multiply(money_of(1250, "EUR"), 3, &product), ERR_NONE);
    CU_ASSERT_EQUAL(product.amount_minor, 3750);
    CU_ASSERT_EQUAL(money_multiply(money_of(1250, "EUR"), 0, &product), ERR_NONE);
    CU_ASSERT_EQUAL(product.amount_minor, 0);
    CU_ASSERT_EQUAL(money_multiply(money_of(INT64_MAX / 2, "EUR"), -2, &product), ERR_NONE);
    CU_ASSERT_EQUAL(product.amount_minor, -(INT64_MAX - 1));
    CU_ASSERT_EQUAL(money_multiply(money_of(INT64_MAX, "EUR"), 2, &product), ERR_INVALID);
    CU_ASSERT_EQUAL(money_multiply(money_of(INT64_MIN, "EUR"), -1, &product), ERR_INVALID);
    CU_ASSERT_EQUAL(product.amount_minor, -(INT64_MAX - 1));
}

static void test_text(void)
{
    static const struct {
        int64_t amount_minor;
        const char *code;
        const char *text;
    } rows[] = {
        {1250, "EUR", "12.50 EUR"},
        {-5, "USD", "-0.05 USD"},
        {0, "USD", "0.00 USD"},
        {1200, "JPY", "1200 JPY"},
        {-1, "JPY", "-1 JPY"},
        {1234567, "KWD", "1234.567 KWD"},
        {1, "CLF", "0.0001 CLF"},
        {INT64_MAX, "EUR", "92233720368547758.07 EUR"},
        {INT64_MIN, "EUR", "-92233720368547758.08 EUR"},
        {INT64_MIN, "JPY", "-9223372036854775808 JPY"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[MONEY_TEXT_SIZE];
        CU_ASSERT_STRING_EQUAL(money_text(money_of(rows[i].amount_minor, rows[i].code), out), rows[i].text);
    }
}

static const struct suite_case cases[] = {
    {"currencies have the exponents of ISO 4217", test_find},
    {"withdrawn, unknown, lower-case and unitless codes are not found", test_find_refuses},
    {"every row of the table is found, in order", test_table_is_sorted},
    {"amounts of one currency add up", test_add},
    {"a sum of two currencies, or one that does not fit, is refused", test_add_refuses},
    {"an amount is multiplied, and refused when it does not fit", test_multiply},
    {"amounts are written for people", test_text},
};

int main(void)
{
    return suite_main("money", cases, sizeof cases / sizeof cases[0]);
}
