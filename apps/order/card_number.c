#include "config.h"

#include <string.h>

#include "apps/order/card_number.h"

enum { LEAST = 13, MOST = 19 };

/* The latest digits that nothing but signs stands between. */
struct run {
    unsigned char digits[MOST];
    size_t length;
};

static void run_add(struct run *run, char digit)
{
    if (run->length == MOST)
        memmove(run->digits, run->digits + 1, --run->length);
    run->digits[run->length++] = (unsigned char)(digit - '0');
}

/* Cards of networks begin with 2 to 6 (ISO/IEC 7812-1). */
static bool is_card_number(const unsigned char *digits, size_t length)
{
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = digits[length - 1 - i];
        if (i % 2 == 1)
            digit = digit > 4 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0 && digits[0] >= 2 && digits[0] <= 6;
}

static bool ends_with_one(const struct run *run)
{
    for (size_t length = LEAST; length <= run->length; length++) {
        if (is_card_number(run->digits + run->length - length, length))
            return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "%20", as in an address, is a sign like others. */
static size_t encoded_sign(struct text text, size_t at)
{
    return text.at[at] == '%' && at + 2 < text.length && text.at[at + 1] == '2' ? 2 : 0;
}

bool has_card_number(struct text text)
{
    struct run run = {.length = 0};
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c >= '0' && c <= '9') {
            run_add(&run, c);
            if (ends_with_one(&run))
                return true;
        } else if (is_letter(c)) {
            run.length = 0;
        } else {
            i += encoded_sign(text, i);
        }
    }
    return false;
}
