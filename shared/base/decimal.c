#include "config.h"

#include "base/decimal.h"

#define ROW(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"

const char decimal_pairs[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7") ROW("8") ROW("9");

enum { GROUP = 10000 };

static char *write_short(char *out, uint32_t value)
{
    if (value >= 10)
        return decimal_pair(out, value);
    *out = (char)('0' + value);
    return out + 1;
}

static char *write_below_group(char *out, uint32_t value)
{
    if (value < 100)
        return write_short(out, value);
    return decimal_pair(write_short(out, value / 100), value % 100);
}

static char *write_group(char *out, uint32_t value)
{
    return decimal_pair(decimal_pair(out, value / 100), value % 100);
}

static char *write_digits(char *out, uint64_t value)
{
    if (value < GROUP)
        return write_below_group(out, (uint32_t)value);
    return write_group(write_digits(out, value / GROUP), (uint32_t)(value % GROUP));
}

/* Returns the magnitude. */
static uint64_t write_sign(char **out, int64_t value)
{
    if (value >= 0)
        return (uint64_t)value;
    *(*out)++ = '-';
    return -(uint64_t)value;
}

char *decimal_write(char *out, int64_t value)
{
    uint64_t magnitude = write_sign(&out, value);
    return write_digits(out, magnitude);
}

/* All three, and then without the zeros at the end. */
char *decimal_write_milliseconds(char *out, int64_t ns)
{
    uint64_t us = write_sign(&out, ns / 1000);
    uint32_t thousandths = (uint32_t)(us % 1000);

    out = write_digits(out, us / 1000);
    if (thousandths == 0)
        return out;
    out[0] = '.';
    out[1] = (char)('0' + thousandths / 100);
    out = decimal_pair(out + 2, thousandths % 100);
    while (out[-1] == '0')
        out--;
    return out;
}
