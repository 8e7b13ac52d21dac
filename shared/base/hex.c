#include "config.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"

/* Ids are written and read several times a request: many digits at once, by arithmetic and not by a table, which would
 * have to come from memory each time. */
enum { WRITE_GROUP = 8, READ_GROUP = 4 };

/* The vectors that GCC and Clang have on every machine. */
typedef unsigned char hex_bytes __attribute__((vector_size(WRITE_GROUP)));
typedef uint16_t hex_pairs __attribute__((vector_size(2 * WRITE_GROUP)));
typedef signed char hex_digits __attribute__((vector_size(2 * WRITE_GROUP)));

/* How far the digits of a byte are shifted in a pair, so that the upper one stands first in memory. */
enum { LOWER = __BYTE_ORDER == __LITTLE_ENDIAN ? 8 : 0, UPPER = 8 - LOWER };

static void write_group(const unsigned char *from, char *out)
{
    hex_bytes given;

    memcpy(&given, from, sizeof given);
    hex_pairs spread = __builtin_convertvector(given, hex_pairs);
    hex_digits values = (hex_digits)(spread >> 4 << UPPER | (spread & 15) << LOWER);
    hex_digits all = values + '0' + ((values > 9) & ('a' - '0' - 10));
    memcpy(out, &all, sizeof all);
}

char *hex_write(const unsigned char *bytes, size_t count, char *out)
{
    for (; count >= WRITE_GROUP; count -= WRITE_GROUP, bytes += WRITE_GROUP, out += 2 * WRITE_GROUP)
        write_group(bytes, out);
    for (; count > 0; count--, bytes++) {
        *out++ = "0123456789abcdef"[*bytes >> 4];
        *out++ = "0123456789abcdef"[*bytes & 15];
    }
    return out;
}

static const uint64_t ones = UINT64_C(0x0101010101010101);

/* Bit 6 tells a letter. Its value is nine more than its low half; six more than a value has bit 4 set for a letter
 * alone. */
static bool read_group(const char digits[static 2 * READ_GROUP], unsigned char out[static READ_GROUP])
{
    uint64_t given, values, are_letters;

    memcpy(&given, digits, sizeof given);
    given = le64toh(given);
    are_letters = given >> 6 & ones;
    values = (given & ones * 15) + are_letters * 9;
    uint64_t gathered = (values << 4 | values >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    gathered = (gathered | gathered >> 8) & UINT64_C(0x0000ffff0000ffff);
    uint32_t four = htole32((uint32_t)(gathered | gathered >> 16));
    memcpy(out, &four, sizeof four);
    return (given & ones * 0xf0) == ones * 0x30 + are_letters * 0x30 && (values & ones * 0xf0) == 0
        && ((values + ones * 6) >> 4 & ones) == are_letters;
}

bool hex_read_lower(const char *digits, size_t count, unsigned char *out)
{
    bool well = true;

    for (; count >= READ_GROUP; count -= READ_GROUP, digits += 2 * READ_GROUP, out += READ_GROUP)
        well &= read_group(digits, out);
    for (; count > 0; count--, digits += 2, out++) {
        char padded[2 * READ_GROUP] = {digits[0], digits[1], '0', '0', '0', '0', '0', '0'};
        unsigned char bytes[READ_GROUP];
        well &= read_group(padded, bytes);
        *out = bytes[0];
    }
    return well;
}
