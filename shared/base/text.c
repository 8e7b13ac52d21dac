#include "config.h"

#include <stdint.h>
#include <string.h>

#include "base/hex.h"
#include "base/text.h"
#include "base/utf8.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_bytes_nocase(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

struct text text_of(const char *string)
{
    return string ? (struct text){string, strlen(string)} : TEXT_NONE;
}

bool text_equal(struct text a, struct text b)
{
    if (!a.at || !b.at)
        return a.at == b.at;
    return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

bool text_equal_string(struct text a, const char *b)
{
    return text_equal(a, text_of(b));
}

bool text_equal_nocase(struct text a, struct text b)
{
    if (!a.at || !b.at)
        return a.at == b.at;
    return a.length == b.length && same_bytes_nocase(a.at, b.at, a.length);
}

bool text_starts(struct text text, struct text prefix)
{
    return prefix.length == 0 || (text.length >= prefix.length && memcmp(text.at, prefix.at, prefix.length) == 0);
}

bool text_starts_nocase(struct text text, struct text prefix)
{
    return text.length >= prefix.length && same_bytes_nocase(text.at, prefix.at, prefix.length);
}

ptrdiff_t text_find(struct text text, char c)
{
    const char *found = text.length > 0 ? memchr(text.at, c, text.length) : NULL;

    return found ? found - text.at : -1;
}

struct text text_split(struct text *rest, char separator)
{
    struct text whole = *rest;
    ptrdiff_t end = text_find(whole, separator);

    if (end < 0) {
        *rest = TEXT_NONE;
        return whole;
    }
    size_t skipped = (size_t)end + 1;
    *rest = (struct text){whole.at + skipped, whole.length - skipped};
    return (struct text){whole.at, (size_t)end};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct text text_trim(struct text text)
{
    while (text.length > 0 && is_blank(text.at[0])) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && is_blank(text.at[text.length - 1]))
        text.length--;
    return text;
}

enum err text_to_int(struct text text, int64_t *ret)
{
    bool negative = text.length > 0 && text.at[0] == '-';
    size_t first = negative ? 1 : 0;
    int64_t value = 0;

    if (text.length == first)
        return err_because(ERR_MALFORMED, "an integer has no digits");

    /* Counted downwards, because the negative range is the larger one. */
    for (size_t i = first; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return err_because(ERR_MALFORMED, "an integer has something else than digits at byte %zu", i);
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, text.at[i] - '0', &value))
            return err_because(ERR_MALFORMED, "an integer does not fit 64 bits");
    }
    if (!negative && value == INT64_MIN)
        return err_because(ERR_MALFORMED, "an integer does not fit 64 bits");
    *ret = negative ? value : -value;
    return ERR_NONE;
}

enum err text_to_mode(struct text text, int64_t *ret)
{
    int64_t value = 0;
    if (text.length < 2 || text.at[0] != '0')
        return text_to_int(text, ret);
    for (size_t i = 1; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '7')
            return err_because(ERR_MALFORMED, "what begins with 0 is octal, and has digits from 0 to 7 only");
        if (__builtin_mul_overflow(value, 8, &value))
            return err_because(ERR_MALFORMED, "an integer does not fit 64 bits");
        value += text.at[i] - '0';
    }
    *ret = value;
    return ERR_NONE;
}

/* How far the text is ASCII, in steps of eight bytes. */
static size_t ascii_run(struct text text)
{
    size_t at = 0;
    for (uint64_t eight; at + sizeof eight <= text.length; at += sizeof eight) {
        memcpy(&eight, text.at + at, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

bool text_is_utf8(struct text text)
{
    size_t at = ascii_run(text);

    while (at < text.length) {
        size_t step = utf8_step(text.at + at, text.length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

struct text text_begin(struct text text, size_t max)
{
    if (text.length <= max)
        return text;
    while (max > 0 && ((unsigned char)text.at[max] & 0xc0) == 0x80)
        max--;
    return (struct text){text.at, max};
}

size_t text_utf8_count(struct text text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.length; i++)
        count += (text.at[i] & 0xc0) != 0x80;
    return count;
}

bool text_is_visible_ascii(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] < 0x21 || text.at[i] > 0x7e)
            return false;
    return true;
}

/* The byte that an escape stands for, or -1. */
static int escaped_byte(const char *at, size_t length)
{
    int high = length >= 3 ? hex_digit(at[1]) : -1;
    int low = length >= 3 ? hex_digit(at[2]) : -1;

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

enum err text_percent_decode(struct text text, bool plus_is_space, char *out, size_t *ret_length)
{
    size_t length = 0;

    for (size_t i = 0; i < text.length; i++) {
        int byte = (unsigned char)text.at[i];
        if (byte == '%') {
            byte = escaped_byte(text.at + i, text.length - i);
            if (byte < 0)
                return err_because(ERR_MALFORMED, "a broken percent escape at byte %zu", i);
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        if (byte == '\0')
            return err_because(ERR_MALFORMED, "a NUL in percent-encoded text");
        out[length++] = (char)byte;
    }
    if (!text_is_utf8((struct text){out, length}))
        return err_because(ERR_MALFORMED, "percent-encoded text is not UTF-8");
    *ret_length = length;
    return ERR_NONE;
}
