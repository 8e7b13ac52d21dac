/*
 * A filter: which keys there are, in so little memory that all of them fit, so that one that somebody made up is known
 * to be absent without its source being asked; also when each is another one, which remembering absences (absences.h)
 * is no help against.
 *
 *     if (filter_lacks(filter, key, absent_ns, now_ns))          on a lane: never blocks, takes no lock
 *         … there is no such thing …
 *     filter_add(filter, key);                                   after the commit that makes it, before that is told
 *     err = filter_refresh(filter, &refresh, &outcome);          on a thread that may wait, when it was wanted
 *
 * It may take an absent key for one that is there, once in about 1,100 when it is as full as it may be, and never the
 * other way round. It is a Bloom filter (Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM
 * 1970), blocked, so that a look touches one line of the processor's cache (Putze, Sanders, Singler, "Cache-, hash- and
 * space-efficient Bloom filters", WEA 2007): FILTER_KEY_BITS bits a key, and of each key one bit in each of the eight
 * words of one block. Hashes are SipHash-2-4 with a random key of the filter's own: nobody can choose keys that meet.
 *
 * That a key is not in it says that it is absent only if all that are there are in it:
 *   listed      The filter is complete as of when its last listing began. It answers for absent_ns from then on, the
 *               time for which absences are remembered anyway. That is the bound for what was made on another machine,
 *               or by a process that was killed between its commit and filter_add(); also when nobody had asked for it
 *               here. A look that finds half of that time gone has it wanted; one caller at a time among all processes
 *               refreshes it. While it is out of date it answers nobody: the source is asked, as without a filter.
 *   added       What is made by a process that shares the filter is in it before anybody is told that it is made.
 *               Adding needs no listing and waits for none. So a thing made while a listing is under way, however long
 *               that is held up, is in the filter when it ends, whether the listing has come across it or not.
 *
 * Why it is shared: a filter that each process has to itself would learn from a listing alone what others make, and
 * could only be as right as the clocks, and the longest transaction, that such a listing goes by. Here these matter to
 * what nobody adds, and to nothing that was told on this machine.
 *
 * A listing asks for what was made since the last one began, and FILTER_OVERLAP_US before that: for transactions that
 * committed later than they took their time, and for clocks of several machines, which may be as far apart. What is
 * later than that is found when all is listed anew, after FILTER_REBUILD_NS, which also takes out what has been deleted
 * meanwhile; until then a deleted key only is one that the source is asked about. There are two halves, so that one
 * answers while the other is made anew.
 *
 * Too many keys: past keys_max it says so (FILTER_FULL) and answers nobody until FILTER_REBUILD_NS later, when it looks
 * whether there are fewer.
 *
 * With a path it is in a file that the processes of a machine share; it is made anew by the first to open it, so what
 * it holds never outlives them, a restored database or a restart of the machine. Who joins others has theirs, whatever
 * its own keys_max. Processes that make things and do not have it open, because they are of an older version or told to
 * do without, are to it as those of another machine.
 *
 * Any thread.
 */
#ifndef TANDEM_CACHE_FILTER_H
#define TANDEM_CACHE_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

enum { FILTER_KEY_BITS = 16, FILTER_PAGE_MAX = 1000 };

#define FILTER_OVERLAP_US (30 * US_PER_S)
#define FILTER_REBUILD_NS (3600 * NS_PER_S)

struct filter;

struct filter_opts {
    const char *name;              /* a constant word: in metrics */
    const char *path;              /* NULL: this process's own */
    unsigned keys_max;             /* at least 1; memory is FILTER_KEY_BITS a key, twice */
    void (*want)(void *context);   /* it is to be refreshed; by a look, so it may not block; not twice in 250 ms */
    void *context;
};

/** ERR_STORAGE, ERR_STORAGE_FULL, ERR_MEMORY. */
enum err must_check filter_open(const struct filter_opts *opts, struct filter **ret);

/** After the last refresh has returned. NULL is fine. */
void filter_close(struct filter *filter);

/** Whether it is known that there is no such key. */
bool filter_lacks(struct filter *filter, struct text key, int64_t absent_ns, int64_t now_ns);

void filter_add(struct filter *filter, struct text key);

/** Keys were made that cannot be named: it answers nobody until all are listed anew. */
void filter_distrust(struct filter *filter);

/* ---- listing ---- */

struct filter_listing;

/* Tells of up to FILTER_PAGE_MAX keys, by filter_listed(): in the order of when they were made and then of themselves,
 * the first that come after this time and key. A time never changes; one that is not known is INT64_MAX. */
typedef enum err filter_list(void *context, int64_t made_us, struct text key, struct filter_listing *listing);
void filter_listed(struct filter_listing *listing, int64_t made_us, struct text key);

struct filter_refresh {
    filter_list *list;             /* committed things only, and all that were so before it was called */
    void *context;
    int64_t absent_ns;             /* 0: nothing is to be done */
    int64_t rebuild_ns;            /* 0: FILTER_REBUILD_NS */
    const atomic_bool *given_up;   /* looked at between pages; may be NULL */
};

/* IDLE: it is up to date, or another is at it. FULL: this one found out that it is. STAYED_FULL: it was before. */
enum filter_outcome { FILTER_IDLE, FILTER_REFRESHED, FILTER_REBUILT, FILTER_FULL, FILTER_STAYED_FULL, FILTER_OUTCOMES };

/** Blocks while list does, a page at a time. ERR_CLOSED when it was given up, and what list says; the filter is then
 *  complete as of what it was before. ret may be NULL. */
enum err must_check filter_refresh(struct filter *filter, const struct filter_refresh *refresh,
                                   enum filter_outcome *ret);

struct filter_stats {
    uint64_t keys, keys_max, bytes;   /* about how many are in it; how many there is room for; of memory, shared */
};

void filter_stats(const struct filter *filter, struct filter_stats *ret);

#endif
