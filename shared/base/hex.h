/*
 * Hexadecimal digits: read in either case, written in lower case. Pure: any thread.
 */
#ifndef TANDEM_BASE_HEX_H
#define TANDEM_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

/** 0 to 15, or -1 for what is no digit. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** Two digits a byte; returns where they end. Adds no zero. */
char *hex_write(const unsigned char *bytes, size_t count, char *out);

/** Reads what hex_write() writes, 2 * count digits of lower case; false, and then out is undefined, when one of them is
 *  no such digit. */
bool hex_read_lower(const char *digits, size_t count, unsigned char *out);

#endif
