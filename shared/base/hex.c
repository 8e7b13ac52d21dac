#include "config.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"

enum { GROUP = 4 };

/* Both digits of four bytes at once, each in a byte of its own: ids are written several times a request, and a table
 * would have to come from memory each time. */
static void write_group(const unsigned char bytes[static GROUP], char out[static 2 * GROUP])
{
    const uint64_t ones = UINT64_C(0x0101010101010101), nibbles = UINT64_C(0x000f000f000f000f);
    uint64_t spread = bytes[0] | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 32 | (uint64_t)bytes[3] << 48;
    uint64_t digits = (spread >> 4 & nibbles) | (spread & nibbles) << 8;
    uint64_t are_letters = (digits + ones * 6) >> 4 & ones;

    digits = htole64(digits + ones * '0' + are_letters * ('a' - '0' - 10));
    memcpy(out, &digits, sizeof digits);
}

char *hex_write(const unsigned char *bytes, size_t count, char *out)
{
    for (; count >= GROUP; count -= GROUP, bytes += GROUP, out += 2 * GROUP)
        write_group(bytes, out);
    for (; count > 0; count--, bytes++) {
        *out++ = "0123456789abcdef"[*bytes >> 4];
        *out++ = "0123456789abcdef"[*bytes & 15];
    }
    return out;
}
