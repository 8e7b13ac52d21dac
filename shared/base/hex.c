#include "config.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"

/* Both digits of four bytes at once, each in a byte of its own: ids are written and read several times a request, and a
 * table would have to come from memory each time. */
enum { GROUP = 4 };

static const uint64_t ones = UINT64_C(0x0101010101010101);

static void write_group(const unsigned char bytes[static GROUP], char out[static 2 * GROUP])
{
    const uint64_t nibbles = UINT64_C(0x000f000f000f000f);
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

/* Bit 6 tells a letter. Its value is nine more than its low half; six more than a value has bit 4 set for a letter
 * alone. */
static bool read_group(const char digits[static 2 * GROUP], unsigned char out[static GROUP])
{
    uint64_t given, values, are_letters;

    memcpy(&given, digits, sizeof given);
    given = le64toh(given);
    are_letters = given >> 6 & ones;
    values = (given & ones * 15) + are_letters * 9;
    for (size_t i = 0; i < GROUP; i++)
        out[i] = (unsigned char)(values >> 16 * i << 4 | values >> (16 * i + 8));
    return (given & ones * 0xf0) == ones * 0x30 + are_letters * 0x30 && (values & ones * 0xf0) == 0
        && ((values + ones * 6) >> 4 & ones) == are_letters;
}

bool hex_read_lower(const char *digits, size_t count, unsigned char *out)
{
    bool well = true;

    for (; count >= GROUP; count -= GROUP, digits += 2 * GROUP, out += GROUP)
        well &= read_group(digits, out);
    for (; count > 0; count--, digits += 2, out++) {
        char padded[2 * GROUP] = {digits[0], digits[1], '0', '0', '0', '0', '0', '0'};
        unsigned char bytes[GROUP];
        well &= read_group(padded, bytes);
        *out = bytes[0];
    }
    return well;
}
