#include "config.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "apps/user/attempts.h"
#include "base/clock.h"
#include "base/id.h"

enum { WAYS = 8, IPV6_NETWORK_BYTES = 8, IPV4_AT = 12 };

#define MINUTE_NS (60 * NS_PER_S)

/* A bucket is one time: when it will be full again. Each try moves it on by a minute's share. */
struct bucket {
    uint64_t whose;                                  /* 0: nobody's */
    int64_t full_ns;
};

struct attempts {
    pthread_mutex_t lock;
    unsigned char key[crypto_shorthash_KEYBYTES];
    size_t sets;
    struct bucket buckets[];
};

_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "a hash is one number");

enum err attempts_new(unsigned entries, struct attempts **ret)
{
    size_t sets = entries / WAYS + 1;
    struct attempts *attempts = calloc(1, sizeof *attempts + sets * WAYS * sizeof attempts->buckets[0]);
    if (!attempts)
        return err_because(ERR_MEMORY, "no memory to count attempts");
    attempts->sets = sets;
    random_bytes(attempts->key, sizeof attempts->key);
    pthread_mutex_init(&attempts->lock, NULL);
    *ret = attempts;
    return ERR_NONE;
}

void attempts_free(struct attempts *attempts)
{
    if (!attempts)
        return;
    pthread_mutex_destroy(&attempts->lock);
    free(attempts);
}

static uint64_t hash(const struct attempts *attempts, enum attempts_of of, struct text whose)
{
    uint64_t number;
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, (const unsigned char *)whose.at, whose.length, attempts->key);
    memcpy(&number, out, sizeof number);
    number ^= (uint64_t)of;
    return number ? number : 1;
}

/* With the lock. */
static struct bucket *find(struct attempts *attempts, uint64_t whose)
{
    struct bucket *set = &attempts->buckets[whose / 2 % attempts->sets * WAYS];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].whose == whose)
            return &set[i];
    }
    return NULL;
}

/* With the lock. The fullest bucket makes room. */
static struct bucket *find_or_make(struct attempts *attempts, uint64_t whose)
{
    struct bucket *bucket = find(attempts, whose);
    if (bucket)
        return bucket;
    struct bucket *set = bucket = &attempts->buckets[whose / 2 % attempts->sets * WAYS];
    for (int i = 1; i < WAYS; i++) {
        if (set[i].full_ns < bucket->full_ns)
            bucket = &set[i];
    }
    *bucket = (struct bucket){.whose = whose};
    return bucket;
}

int64_t attempts_take(struct attempts *attempts, enum attempts_of of, struct text whose, unsigned per_minute,
                      int64_t now_ns)
{
    uint64_t number = hash(attempts, of, whose);
    int64_t wait_ns = 0;
    if (per_minute == 0)
        return 0;
    pthread_mutex_lock(&attempts->lock);
    struct bucket *bucket = find_or_make(attempts, number);
    int64_t full_ns = (bucket->full_ns > now_ns ? bucket->full_ns : now_ns) + MINUTE_NS / per_minute;
    if (full_ns - now_ns > MINUTE_NS)
        wait_ns = full_ns - now_ns - MINUTE_NS;
    else
        bucket->full_ns = full_ns;
    pthread_mutex_unlock(&attempts->lock);
    return wait_ns;
}

void attempts_give_back(struct attempts *attempts, enum attempts_of of, struct text whose, unsigned per_minute)
{
    uint64_t number = hash(attempts, of, whose);
    if (per_minute == 0)
        return;
    pthread_mutex_lock(&attempts->lock);
    struct bucket *bucket = find(attempts, number);
    if (bucket)
        bucket->full_ns -= MINUTE_NS / per_minute;
    pthread_mutex_unlock(&attempts->lock);
}

void attempts_forget(struct attempts *attempts, enum attempts_of of, struct text whose)
{
    uint64_t number = hash(attempts, of, whose);
    pthread_mutex_lock(&attempts->lock);
    struct bucket *bucket = find(attempts, number);
    if (bucket)
        *bucket = (struct bucket){.whose = 0};
    pthread_mutex_unlock(&attempts->lock);
}

struct text attempts_source(struct text address, char out[static ATTEMPTS_SOURCE_SIZE])
{
    struct in6_addr ipv6;
    char string[INET6_ADDRSTRLEN];
    if (address.length >= sizeof string || !text_is_visible_ascii(address))
        return (struct text){address.at, address.length < ATTEMPTS_SOURCE_SIZE ? address.length : ATTEMPTS_SOURCE_SIZE};
    memcpy(string, address.at, address.length);
    string[address.length] = '\0';
    if (inet_pton(AF_INET6, string, &ipv6) != 1)
        return address;
    if (IN6_IS_ADDR_V4MAPPED(&ipv6)) {
        inet_ntop(AF_INET, &ipv6.s6_addr[IPV4_AT], out, ATTEMPTS_SOURCE_SIZE);
        return text_of(out);
    }
    memset(&ipv6.s6_addr[IPV6_NETWORK_BYTES], 0, sizeof ipv6.s6_addr - IPV6_NETWORK_BYTES);
    inet_ntop(AF_INET6, &ipv6, out, ATTEMPTS_SOURCE_SIZE);
    return text_of(out);
}
