#include "config.h"

#include <stdint.h>
#include <string.h>

#include "cache/redis_slot.h"

/* CRC-16/XMODEM: polynomial 0x1021, from 0. Keys are short, so a table would gain nothing that counts. */
static uint16_t crc16(struct text bytes)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        crc = (uint16_t)(crc ^ (unsigned char)bytes.at[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

static struct text hashed_part(struct text key)
{
    ptrdiff_t open = text_find(key, '{');
    if (open < 0)
        return key;
    struct text rest = {key.at + open + 1, key.length - (size_t)open - 1};
    ptrdiff_t close = text_find(rest, '}');
    return close > 0 ? (struct text){rest.at, (size_t)close} : key;
}

unsigned redis_slot(struct text key)
{
    return crc16(hashed_part(key)) % REDIS_SLOTS;
}
