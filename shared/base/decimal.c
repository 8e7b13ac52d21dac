#include "config.h"

#include "base/decimal.h"

#define ROW(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"

const char decimal_pairs[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7") ROW("8") ROW("9");

static uint64_t magnitude_of(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static unsigned digits_of(uint64_t value)
{
    unsigned length = 1;

    for (; value >= 10000; value /= 10000)
        length += 4;
    return length + (value >= 10) + (value >= 100) + (value >= 1000);
}

unsigned decimal_length(int64_t value)
{
    return digits_of(magnitude_of(value)) + (value < 0);
}

/* Returns where they begin. */
static char *digits_before(char *end, uint64_t value)
{
    for (; value >= 100; value /= 100)
        decimal_pair(end -= 2, (uint32_t)(value % 100));
    if (value >= 10)
        decimal_pair(end -= 2, (uint32_t)value);
    else
        *--end = (char)('0' + value);
    return end;
}

void decimal_before(char *end, int64_t value)
{
    end = digits_before(end, magnitude_of(value));
    if (value < 0)
        *--end = '-';
}

/* ---- milliseconds ---- */

static unsigned decimals_of(uint32_t thousandths)
{
    return thousandths == 0 ? 0 : thousandths % 100 == 0 ? 1 : thousandths % 10 == 0 ? 2 : 3;
}

unsigned decimal_milliseconds_length(int64_t ns)
{
    int64_t us = ns / 1000;
    uint64_t magnitude = magnitude_of(us);
    unsigned decimals = decimals_of((uint32_t)(magnitude % 1000));

    return digits_of(magnitude / 1000) + (us < 0) + decimals + (decimals > 0);
}

static char *decimals_before(char *end, uint32_t thousandths)
{
    unsigned decimals = decimals_of(thousandths);

    if (decimals == 3)
        *--end = (char)('0' + thousandths % 10);
    if (decimals >= 2)
        *--end = (char)('0' + thousandths / 10 % 10);
    *--end = (char)('0' + thousandths / 100);
    *--end = '.';
    return end;
}

void decimal_milliseconds_before(char *end, int64_t ns)
{
    int64_t us = ns / 1000;
    uint64_t magnitude = magnitude_of(us);
    uint32_t thousandths = (uint32_t)(magnitude % 1000);

    if (thousandths > 0)
        end = decimals_before(end, thousandths);
    end = digits_before(end, magnitude / 1000);
    if (us < 0)
        *--end = '-';
}
