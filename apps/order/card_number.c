#include "config.h"

#include <string.h>

#include "apps/order/card_number.h"

enum { LEAST = 13, MOST = 19 };

/* Digits gathered, of which no more than MOST + 1 have to be known. */
struct run {
    unsigned char digits[MOST];
    size_t length;
};

static void run_add(struct run *run, char digit)
{
    if (run->length < MOST)
        run->digits[run->length] = (unsigned char)(digit - '0');
    run->length++;
}

static bool is_card_number(const struct run *run)
{
    unsigned sum = 0;
    if (run->length < LEAST || run->length > MOST)
        return false;
    for (size_t i = 0; i < run->length; i++) {
        unsigned digit = run->digits[run->length - 1 - i];
        if (i % 2 == 1)
            digit = digit > 4 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

bool has_card_number(struct text text)
{
    struct run together = {.length = 0}, all = {.length = 0};
    bool is_all_digits = true;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c >= '0' && c <= '9') {
            run_add(&together, c);
            run_add(&all, c);
            continue;
        }
        if (is_card_number(&together))
            return true;
        together.length = 0;
        is_all_digits = is_all_digits && c && strchr(" \t-._/", c);
    }
    return is_card_number(&together) || (is_all_digits && is_card_number(&all));
}
