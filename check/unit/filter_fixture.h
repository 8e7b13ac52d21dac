/*
 * What the tests of a filter of keys (cache/filter.h) share: a filter, the source of what is in it, and what is asked
 * of them, by the numbers of keys.
 */
#ifndef TANDEM_CHECK_UNIT_FILTER_FIXTURE_H
#define TANDEM_CHECK_UNIT_FILTER_FIXTURE_H

#include <stdatomic.h>

#include "check/unit/filter_source.h"

/* So long that nothing ends by itself. */
#define FIXTURE_ABSENT_NS (1000 * NS_PER_S)

struct fixture {
    struct filter *filter;
    struct filter_source source;
    atomic_uint wanted;            /* how often a filter was, since fixture_begin() */
};

extern struct fixture fixture;

/** A filter in no file, which is not listed yet, and so many things. */
void fixture_begin(unsigned keys_max, unsigned things);
void fixture_end(void);

/** Another one; path NULL: in no file. */
struct filter *fixture_open(const char *path, unsigned keys_max);

/** Refreshes it from the source; rebuild_ns as in struct filter_refresh. */
enum filter_outcome fixture_refresh(struct filter *filter, int64_t absent_ns, int64_t rebuild_ns);

bool fixture_lacks(unsigned number);
bool fixture_lacks_in(struct filter *filter, unsigned number);
void fixture_add(struct filter *filter, unsigned number);

/** As whoever makes a thing: it is committed, and added. */
void fixture_make(unsigned number);

#endif
