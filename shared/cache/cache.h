/*
 * A cache: values by their keys, so that what many ask for is asked of its source once.
 *
 *     found = cache_get(cache, key, &lifetimes, clock_now_ns(), &value);         on a lane: memory alone, never blocks
 *     err = cache_get_or_load(cache, &request, &value);                          on a worker: loads what is missing
 *     cache_invalidate(cache, key);                                              after the change is committed
 *
 * What it takes care of, so that its users need not:
 *   penetration   a key that has no value is remembered to have none, for a while, in a table of its own (absences.h);
 *                 with a filter of all keys that there are (filter.h) those that were never asked for are known to have
 *                 none as well; invalidating the key, as whoever makes the thing does, ends both at once
 *   avalanche     each value's lifetime is up to a fifth shorter, by chance; near its end one of those who ask is told
 *                 to load it anew before it is over (CACHE_DUE), the likelier the longer that takes (XFetch: Vattani et
 *                 al., "Optimal probabilistic cache stampede prevention", VLDB 2015); while one does, the others are
 *                 served what there is, and so are all when the source fails, for as long as stale_ns says
 *   breakdown     one load of a key at a time in a process; the others wait for it, in bounded number and time; with a
 *                 remote part, one among all processes (cache/remote.h)
 *   stale refills a value carries the mark of when it was about to be loaded (marks.h): once cache_invalidate() has
 *                 returned, nothing that was being loaded before is served in any process that shares the marks. Others
 *                 have the remote part, or lifetimes.near_ns, as their bound
 *
 * A key is 1 to CACHE_KEY_MAX bytes. A value is bytes, value_max_bytes at the most; it is copied to storage that the
 * caller has for that many, so that a hit allocates nothing. Lifetimes are told at each look, since settings change.
 *
 * Any thread. cache_get_or_load() and cache_fetch() may block, until the request's deadline; nothing else does.
 */
#ifndef TANDEM_CACHE_CACHE_H
#define TANDEM_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "cache/flights.h"
#include "cache/marks.h"

enum { CACHE_KEY_MAX = FLIGHT_KEY_MAX };

struct cache;
struct cache_remote;
struct filter;

struct cache_opts {
    const char *name;              /* a constant word: in metrics, and before its keys where others have keys, too */
    struct marks *marks;           /* must outlive the cache */
    struct cache_remote *remote;   /* may be NULL; must outlive the cache */
    struct filter *filter;         /* the same; somebody refreshes it, cache_get() has that wanted */
    size_t max_bytes;              /* of what is in memory */
    size_t value_max_bytes;
    unsigned absent_entries;       /* keys remembered to have no value */
    unsigned flights_max;          /* keys that are loaded at once: what the source can be asked at the same time */
    unsigned waiters_max;          /* threads that wait for a load of another's */
};

struct cache_lifetimes {
    int64_t fresh_ns;              /* from when a value was about to be loaded */
    int64_t stale_ns;              /* on top, for who cannot load it */
    int64_t absent_ns;
    int64_t near_ns;               /* with a remote part: how long it is not asked about a value that is in memory */
};

/* CACHE_DUE: fresh, and the caller may load it anew already. CACHE_STALE: only for who cannot load it. */
enum cache_found { CACHE_NOTHING, CACHE_FRESH, CACHE_DUE, CACHE_STALE, CACHE_ABSENT };

struct cache_value {
    char *data;                    /* the caller's: room for … */
    size_t capacity;               /* … so many bytes, at least the cache's value_max_bytes */
    size_t length;
    uint64_t version;              /* rises with each change of the thing; 0: it has none */
    struct text group;             /* given to the cache: what it can be invalidated by beside its key; absent: none */
    int64_t until_ns;              /* given to the cache: its own end, by clock_now_ns(); 0: none */
};

enum err must_check cache_new(const struct cache_opts *opts, struct cache **ret);
void cache_free(struct cache *cache);

/** Fills value unless it is CACHE_NOTHING or CACHE_ABSENT. From memory alone. */
enum cache_found cache_get(struct cache *cache, struct text key, const struct cache_lifetimes *lifetimes,
                           int64_t now_ns, struct cache_value *value);

/** The mark of now, to be taken before a value is loaded that is to be given to cache_put(). */
int64_t cache_mark(void);

/** Remembers a value in memory. now_ns is when it was about to be loaded. False when it may be of old: it was
 *  invalidated since the mark, or one with a greater version is known. */
bool must_check cache_put(struct cache *cache, struct text key, const struct cache_value *value, int64_t mark,
                          int64_t now_ns);

/** Remembers that the key has no value. */
void cache_put_absent(struct cache *cache, struct text key, int64_t mark, int64_t now_ns);

/** What was loaded before now is served no more, and the key may have a value. After the change is durable, before
 *  anybody is told that it is. */
void cache_invalidate(struct cache *cache, struct text key);

/** The same for all values of a group, for all values, and for everything: of keys that had none, too. */
void cache_invalidate_group(struct cache *cache, struct text group);
void cache_invalidate_values(struct cache *cache);
void cache_invalidate_all(struct cache *cache);

/* ---- loading ---- */

/** Loads a value into *ret, whose storage is given. ERR_NOT_FOUND when the key has none. What group points to has to
 *  outlive the call of this; it may lie in ret->data. */
typedef enum err cache_load(void *context, struct cache_value *ret);

struct cache_request {
    struct text key;
    struct cache_lifetimes lifetimes;
    cache_load *load;
    void *context;
    int64_t deadline_ns;
};

/** From memory, or loaded. ERR_NOT_FOUND: it has no value. ERR_BUSY when no more can be loaded or waited for,
 *  ERR_DEADLINE, and what load says, unless there is a stale value to be served. */
enum err must_check cache_get_or_load(struct cache *cache, const struct cache_request *request,
                                      struct cache_value *value);

/** What the one does that loads: asks the remote part, then the source, and remembers. For who sees to it otherwise
 *  that one does. *ret_mark (may be NULL) is such that the value is good for whoever asks while it holds for the key:
 *  cache_holds(). ERR_NOT_FOUND, and what load says. */
enum err must_check cache_fetch(struct cache *cache, const struct cache_request *request, struct cache_value *value,
                                int64_t *ret_mark);

/** Whether the key, the group, was not invalidated since the mark. */
bool cache_holds(const struct cache *cache, struct text key, int64_t mark);
bool cache_group_holds(const struct cache *cache, struct text group, int64_t mark);

#endif
