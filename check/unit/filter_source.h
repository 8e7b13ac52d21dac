/*
 * What a filter of keys (cache/filter.h) is of, in a test: things with a number and the time they were made at, listed
 * in pages as a database would. It can be held up when it has read a page and not told of it yet. Any thread, but for
 * init and fini.
 */
#ifndef TANDEM_CHECK_UNIT_FILTER_SOURCE_H
#define TANDEM_CHECK_UNIT_FILTER_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cache/filter.h"

enum { FILTER_SOURCE_KEY_SIZE = 16 };

struct filter_thing {
    int64_t made_us;
    unsigned number;
};

struct filter_source {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct filter_thing *things;   /* in order */
    size_t count, room;
    atomic_uint pages;             /* that were asked for */
    enum err err;
    bool paused, holds;
    int told_fd;                   /* not 0: once a page is read a byte is written there, and it holds for good */
};

/** With things of these numbers, from 0, made long ago. */
void filter_source_init(struct filter_source *source, unsigned count);
void filter_source_fini(struct filter_source *source);

void filter_source_add(struct filter_source *source, int64_t made_us, unsigned number);
void filter_source_remove(struct filter_source *source, unsigned number);

/** The next page is read, and held. */
void filter_source_pause(struct filter_source *source);
void filter_source_go_on(struct filter_source *source);

/** Waits until it holds one. */
bool filter_source_holds(struct filter_source *source);

struct text filter_source_key(char out[static FILTER_SOURCE_KEY_SIZE], unsigned number);

/* A filter_list, with a source as its context. */
enum err filter_source_list(void *context, int64_t made_us, struct text key, struct filter_listing *listing);

#endif
