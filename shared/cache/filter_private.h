/* What the files of a filter share: filter_file.c has its memory, filter.c looks and adds, filter_refresh.c lists. */
#ifndef TANDEM_CACHE_FILTER_PRIVATE_H
#define TANDEM_CACHE_FILTER_PRIVATE_H

#include <pthread.h>
#include <sodium.h>
#include <stddef.h>

#include "cache/filter.h"
#include "telemetry/metric.h"

enum { FILTER_HALVES = 2, FILTER_WORDS = 8, FILTER_WORD_BITS = 64 };

/* Times are monotonic, of when the listing began. The refresher alone writes all but keys. */
struct filter_half {
    _Atomic int64_t complete_ns;             /* 0: it is not */
    _Atomic int64_t whole_ns, since_us;      /* of when all was listed; of when what is new was, by wall time */
    _Atomic uint64_t keys;                   /* those that changed a bit */
};

struct filter_page {
    _Atomic uint64_t magic;
    uint64_t keys_max, blocks;
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    _Atomic uint32_t current;                /* the half that answers */
    _Atomic int64_t distrusted_ns;           /* what was listed by then is not all that there is */
    _Atomic int64_t full_ns;                 /* when there were found to be too many; 0: there are not */
    struct filter_half halves[FILTER_HALVES];
    _Alignas(64) _Atomic uint64_t words[];   /* of one half, then of the other */
};

struct filter {
    struct filter_opts opts;
    int fd;                                  /* -1: it is in no file */
    struct filter_page *page;
    size_t mapped_bytes;
    uint64_t blocks;                         /* as they were at the opening: nobody makes us look past the mapping */
    pthread_mutex_t refreshing;              /* within this process */
    _Atomic int64_t wanted_ns;               /* when it was wanted last */
    struct metric_series outcomes[FILTER_OUTCOMES], failures, keys, keys_max;
};

/** ERR_STORAGE, ERR_STORAGE_FULL, ERR_MEMORY. Close also after a failure. */
enum err must_check filter_file_open(struct filter *filter);
void filter_file_close(struct filter *filter);

/** To be the one who refreshes, until the end of the process at the latest. Not twice in a process. */
bool filter_file_take(struct filter *filter);
void filter_file_give_back(struct filter *filter);

void filter_half_add(struct filter *filter, unsigned half, struct text key);
void filter_half_clear(struct filter *filter, unsigned half);

/** Whether all was listed since it was distrusted; what is listed as new does not make up for that. */
static inline bool filter_is_trusted(const struct filter *filter, unsigned half)
{
    return atomic_load(&filter->page->halves[half].whole_ns) > atomic_load(&filter->page->distrusted_ns);
}

#endif
