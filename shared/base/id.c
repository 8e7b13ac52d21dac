#include "config.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/id.h"

enum {
    COUNTER_BITS = 12,
    COUNTER_SEED_MASK = 0x7ff,   /* the top bit starts as zero, so that at least 2048 ids fit a millisecond */
};

static_assert(TOKEN_SIZE == sodium_base64_ENCODED_LEN(TOKEN_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
              "a token's text");
static_assert(TOKEN_DIGEST_SIZE == crypto_hash_sha256_BYTES * 2 + 1, "a digest's text");

/* Milliseconds and counter as one number, so that a full counter carries into the milliseconds. */
static uint64_t next_tick(uint16_t seed)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last;
    uint64_t now_ms = (uint64_t)(clock_wall_us() / 1000);

    pthread_mutex_lock(&lock);
    last = now_ms > last >> COUNTER_BITS ? now_ms << COUNTER_BITS | (seed & COUNTER_SEED_MASK) : last + 1;
    uint64_t tick = last;
    pthread_mutex_unlock(&lock);
    return tick;
}

static bool is_dash_at(size_t index)
{
    return index == 8 || index == 13 || index == 18 || index == 23;
}

static void put_ms(uint64_t ms, unsigned char id[static 16])
{
    for (size_t i = 0; i < 6; i++)
        id[i] = (unsigned char)(ms >> (40 - 8 * i));
}

static char *write_id(const unsigned char id[static 16], char out[static ID_SIZE])
{
    char *at = out;
    for (size_t i = 0; i < 16; i++) {
        if (is_dash_at((size_t)(at - out)))
            *at++ = '-';
        at = hex_write(&id[i], 1, at);
    }
    *at = '\0';
    assert(at == out + ID_LENGTH);
    return out;
}

char *id_new(char out[static ID_SIZE])
{
    unsigned char id[16], seed[2];

    /* The random half fills bytes 8 to 15; the two before it seed the counter and are then overwritten. */
    random_bytes(id + 6, 10);
    memcpy(seed, id + 6, sizeof seed);
    uint64_t tick = next_tick((uint16_t)(seed[0] << 8 | seed[1]));
    put_ms(tick >> COUNTER_BITS, id);
    id[6] = (unsigned char)(0x70 | (tick >> 8 & 0x0f));
    id[7] = (unsigned char)tick;
    id[8] = (unsigned char)(0x80 | (id[8] & 0x3f));

    return write_id(id, out);
}

char *id_first_of(int64_t wall_us, char out[static ID_SIZE])
{
    unsigned char id[16] = {[6] = 0x70, [8] = 0x80};
    put_ms((uint64_t)(wall_us > 0 ? wall_us / 1000 : 0), id);
    return write_id(id, out);
}

bool id_is_valid(struct text text)
{
    if (text.length != ID_LENGTH)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (is_dash_at(i) ? c != '-' : !hex)
            return false;
    }
    return true;
}

char *token_new(char out[static TOKEN_SIZE])
{
    unsigned char secret[TOKEN_BYTES];

    random_bytes(secret, sizeof secret);
    sodium_bin2base64(out, TOKEN_SIZE, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
    return out;
}

char *digest_hex(struct text bytes, char out[static TOKEN_DIGEST_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(digest, (const unsigned char *)(bytes.at ? bytes.at : ""), bytes.length);
    return sodium_bin2hex(out, TOKEN_DIGEST_SIZE, digest, sizeof digest);
}

void random_bytes(void *out, size_t length)
{
    unsigned char *at = out;

    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);
        if (got < 0) {
            /* Every supported kernel has the call; going on with what is not random would be worse than stopping. */
            assert(errno == EINTR);
            continue;
        }
        at += got;
        length -= (size_t)got;
    }
}

uint32_t random_below(uint32_t below)
{
    uint32_t value;

    assert(below > 0);
    /* What is left of 2^32 after whole multiples of below would favour small numbers, so it is drawn again. */
    uint32_t unfair = -below % below;
    do {
        random_bytes(&value, sizeof value);
    } while (value < unfair);
    return value % below;
}
