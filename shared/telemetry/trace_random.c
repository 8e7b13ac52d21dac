/* Ids of traces and spans: xoshiro256** (David Blackman and Sebastiano Vigna, 2018, in the public domain). */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "telemetry/trace.h"

struct generator {
    uint64_t state[4];
    unsigned seeded;           /* the count of forks at that time, and one; 0: not yet */
};

static _Thread_local struct generator generator;
static atomic_uint forks;      /* a child would go on with its parent's numbers */
static pthread_once_t watched = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

/* splitmix64: what is left should the kernel have no random bytes yet, early in the start of a machine. */
static uint64_t spread(uint64_t *seed)
{
    uint64_t value = *seed += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static void seed(struct generator *one, unsigned now)
{
    pthread_once(&watched, watch_forks);
    ssize_t got = getrandom(one->state, sizeof one->state, GRND_NONBLOCK);
    if (got != (ssize_t)sizeof one->state) {
        uint64_t from = (uint64_t)clock_now_ns() ^ (uint64_t)clock_wall_us() << 20 ^ (uint64_t)(uintptr_t)one ^
                        (uint64_t)getpid() << 40;
        for (size_t i = 0; i < 4; i++)
            one->state[i] = spread(&from);
    }
    one->state[0] |= 1;        /* all zero is the one state it never leaves */
    one->seeded = now + 1;
}

static uint64_t next(struct generator *one)
{
    uint64_t *state = one->state, result = rotate(state[1] * 5, 7) * 9, shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

static uint64_t next_but_zero(struct generator *one)
{
    uint64_t value;
    do
        value = next(one);
    while (value == 0);
    return value;
}

void trace_random(void *out, size_t length)
{
    unsigned now = atomic_load_explicit(&forks, memory_order_relaxed);
    unsigned char *at = out;
    if (generator.seeded != now + 1)
        seed(&generator, now);
    struct generator one = generator;   /* in registers: out might be a part of the thread's own */
    for (; length >= sizeof(uint64_t); length -= sizeof(uint64_t), at += sizeof(uint64_t))
        memcpy(at, &(uint64_t){next_but_zero(&one)}, sizeof(uint64_t));
    if (length > 0)
        memcpy(at, &(uint64_t){next_but_zero(&one)}, length);
    generator = one;
}
