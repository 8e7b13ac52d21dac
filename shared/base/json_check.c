#include "config.h"

#include <stdint.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/json_plain.h"
#include "base/utf8.h"

/*
 * A recursive descent over RFC 8259, section 2 and on; its depth is bounded by JSON_MAX_DEPTH. Each scan_ function
 * starts on the first byte of what it scans and leaves `at` behind the last; false means refused, the reason noted.
 */
struct scan {
    const char *at;
    const char *end;
    const char *reason;
    size_t members, values, lists;
    unsigned depth;
};

static bool refuse(struct scan *scan, const char *reason)
{
    scan->reason = reason;
    return false;
}

/* The next byte, or -1 at the end. */
static int peek(const struct scan *scan)
{
    return scan->at < scan->end ? (unsigned char)*scan->at : -1;
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* ---- numbers ---- */

static bool scan_digits(struct scan *scan)
{
    if (!is_digit(peek(scan)))
        return refuse(scan, "a digit is missing in a number");
    while (is_digit(peek(scan)))
        scan->at++;
    return true;
}

static bool integer_fits(const char *at, const char *end)
{
    bool negative = *at == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint64_t value = 0;

    for (at += negative; at < end; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    return true;
}

/* A decimal exponent, held at a bound far outside any double. */
static int64_t exponent_of(const char *at, const char *end)
{
    const int64_t bound = INT64_C(1000000000000000);
    bool negative = *at == '-';
    int64_t value = 0;

    for (at += *at == '-' || *at == '+'; at < end && value < bound; at++)
        value = value * 10 + (*at - '0');
    return negative ? -value : value;
}

/*
 * Whether a well-formed number is at most DBL_MAX, 1.797693134862315708…e308, read as 0.DIGITS * 10^scale with nineteen
 * digits. strtod() would need a terminated copy. What is too small for a double is nought, and fine.
 */
static bool double_is_finite(const char *at, const char *end)
{
    const uint64_t max_digits = UINT64_C(1797693134862315708);
    const int max_scale = 309, precision = 19;
    uint64_t digits = 0;
    int64_t scale = 0;
    int count = 0;
    bool past_point = false;

    for (at += *at == '-'; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            past_point = true;
        } else if (*at == '0' && count == 0) {
            scale -= past_point;
        } else {
            scale += !past_point;
            if (count < precision) {
                digits = digits * 10 + (uint64_t)(*at - '0');
                count++;
            }
        }
    }
    if (count == 0)
        return true;
    if (at < end)
        scale += exponent_of(at + 1, end);
    for (; count < precision; count++)
        digits *= 10;
    return scale < max_scale || (scale == max_scale && digits <= max_digits);
}

static bool scan_number(struct scan *scan)
{
    const char *first = scan->at;
    bool integer = true;

    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0') {
        scan->at++;
        if (is_digit(peek(scan)))
            return refuse(scan, "a number has a leading zero");
    } else if (!scan_digits(scan)) {
        return false;
    }
    if (peek(scan) == '.') {
        integer = false;
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        integer = false;
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (integer && !integer_fits(first, scan->at)) {
        scan->at = first;
        return refuse(scan, "an integer does not fit 64 bits");
    }
    if (!integer && !double_is_finite(first, scan->at)) {
        scan->at = first;
        return refuse(scan, "a number is too large");
    }
    return true;
}

/* ---- strings ---- */

/* The four digits of a \u escape, or -1. */
static int hex_unit(const struct scan *scan, size_t from)
{
    int unit = 0;

    if ((size_t)(scan->end - scan->at) < from + 4)
        return -1;
    for (size_t i = from; i < from + 4; i++) {
        int digit = hex_digit(scan->at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

static bool scan_unicode_escape(struct scan *scan)
{
    int unit = hex_unit(scan, 2);

    if (unit < 0)
        return refuse(scan, "a \\u escape needs four hexadecimal digits");
    if (unit == 0)
        return refuse(scan, "NUL is not accepted in a string");
    if (is_high_surrogate(unit)) {
        bool paired = scan->end - scan->at >= 12 && scan->at[6] == '\\' && scan->at[7] == 'u' &&
                      is_low_surrogate(hex_unit(scan, 8));
        if (!paired)
            return refuse(scan, "a lone surrogate in a string");
        scan->at += 6;
    } else if (is_low_surrogate(unit)) {
        return refuse(scan, "a lone surrogate in a string");
    }
    scan->at += 6;
    return true;
}

static bool scan_escape(struct scan *scan)
{
    int c = scan->end - scan->at >= 2 ? scan->at[1] : -1;

    switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        scan->at += 2;
        return true;
    case 'u':
        return scan_unicode_escape(scan);
    default:
        return refuse(scan, "an unknown escape in a string");
    }
}

static bool scan_string(struct scan *scan)
{
    scan->at++;
    while (scan->at < scan->end) {
        scan->at += json_plain_length((struct text){scan->at, (size_t)(scan->end - scan->at)});
        if (scan->at == scan->end)
            break;
        unsigned char c = (unsigned char)*scan->at;
        if (c == '"') {
            scan->at++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(scan))
                return false;
            continue;
        }
        if (c < 0x20)
            return refuse(scan, "a raw control character in a string");
        size_t step = utf8_step(scan->at, (size_t)(scan->end - scan->at));
        if (step == 0)
            return refuse(scan, "a string is not UTF-8");
        scan->at += step;
    }
    return refuse(scan, "a string has no end");
}

/* ---- values ---- */

static bool scan_value(struct scan *scan);

static bool scan_literal(struct scan *scan, struct text literal)
{
    if (!text_starts((struct text){scan->at, (size_t)(scan->end - scan->at)}, literal))
        return refuse(scan, "a value is expected");
    scan->at += literal.length;
    return true;
}

static bool scan_member(struct scan *scan)
{
    skip_space(scan);
    if (peek(scan) != '"')
        return refuse(scan, "a key in double quotes is expected");
    if (!scan_string(scan))
        return false;
    skip_space(scan);
    if (peek(scan) != ':')
        return refuse(scan, "a colon is expected");
    scan->at++;
    scan->members++;
    return scan_value(scan);
}

/* What object and array have in common: brackets, commas, and depth. */
static bool scan_list(struct scan *scan, char closing, bool (*scan_one)(struct scan *), const char *expected)
{
    if (scan->depth == JSON_MAX_DEPTH)
        return refuse(scan, "nested too deeply");
    if (++scan->lists > JSON_MAX_LISTS)
        return refuse(scan, "too many objects and arrays");
    scan->depth++;
    scan->at++;
    skip_space(scan);
    if (peek(scan) != closing) {
        for (;;) {
            if (!scan_one(scan))
                return false;
            skip_space(scan);
            if (peek(scan) != ',')
                break;
            scan->at++;
        }
    }
    if (peek(scan) != closing)
        return refuse(scan, expected);
    scan->at++;
    scan->depth--;
    return true;
}

static bool scan_value(struct scan *scan)
{
    skip_space(scan);
    if (++scan->values > JSON_MAX_VALUES)
        return refuse(scan, "too many values");
    switch (peek(scan)) {
    case '{':
        return scan_list(scan, '}', scan_member, "a comma or } is expected");
    case '[':
        return scan_list(scan, ']', scan_value, "a comma or ] is expected");
    case '"':
        return scan_string(scan);
    case 't':
        return scan_literal(scan, TEXT("true"));
    case 'f':
        return scan_literal(scan, TEXT("false"));
    case 'n':
        return scan_literal(scan, TEXT("null"));
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(scan);
    default:
        return refuse(scan, "a value is expected");
    }
}

enum err json_check(struct text text, size_t *ret_members)
{
    const char *start = text.at ? text.at : "";
    struct scan scan = {.at = start, .end = start + text.length};
    bool accepted = scan_value(&scan);

    if (accepted) {
        skip_space(&scan);
        accepted = scan.at == scan.end || refuse(&scan, "something follows the value");
    }
    if (!accepted)
        return err_because(ERR_MALFORMED, "JSON, byte %zu: %s", (size_t)(scan.at - start), scan.reason);
    *ret_members = scan.members;
    return ERR_NONE;
}
