#include "config.h"

#include <string.h>

#include "base/hex.h"

/* Both digits of each byte, "00" to "ff": ids are written several times a request. */
#define ROW(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9" d "a" d "b" d "c" d "d" d "e" d "f"
static const char pairs[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7")
                            ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");
#undef ROW

_Static_assert(sizeof pairs == 2 * 256 + 1, "two digits for each byte");

char *hex_write(const unsigned char *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++)
        memcpy(out + 2 * i, pairs + 2 * (size_t)bytes[i], 2);
    return out + 2 * count;
}
