/*
 * One step through UTF-8 (RFC 3629), for the modules of this folder that scan bytes. Pure: any thread.
 */
#ifndef TANDEM_BASE_UTF8_H
#define TANDEM_BASE_UTF8_H

#include <stddef.h>

/** How many of the length > 0 bytes at `at` the code point there takes; 0 when it is not well-formed. */
static inline size_t
utf8_step(const char *at, size_t length)
{
    const unsigned char *byte = (const unsigned char *)at;

    if (byte[0] < 0x80) {
        return 1;
    }
    if (byte[0] < 0xc2 || byte[0] > 0xf4 || length < 2) {
        return 0;
    }

    /* The second byte is where overlong forms, surrogates and what is above U+10FFFF show (RFC 3629, 4). */
    unsigned char lowest = byte[0] == 0xe0 ? 0xa0 : byte[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char highest = byte[0] == 0xed ? 0x9f : byte[0] == 0xf4 ? 0x8f : 0xbf;
    if (byte[1] < lowest || byte[1] > highest) {
        return 0;
    }

    size_t width = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if (width > length) {
        return 0;
    }
    for (size_t i = 2; i < width; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return width;
}

#endif
