#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/unit/filter_source.h"
#include "check/unit/scratch.h"

struct text filter_source_key(char out[static FILTER_SOURCE_KEY_SIZE], unsigned number)
{
    int length = snprintf(out, FILTER_SOURCE_KEY_SIZE, "key-%010u", number);
    return (struct text){out, (size_t)length};
}

/* ---- with the lock ---- */

static bool is_after(const struct filter_thing *thing, int64_t made_us, struct text key)
{
    char storage[FILTER_SOURCE_KEY_SIZE];
    struct text own = filter_source_key(storage, thing->number);
    if (thing->made_us != made_us)
        return thing->made_us > made_us;
    return key.length < own.length || memcmp(own.at, key.at, own.length) > 0;
}

/* The place of the first that comes after that. */
static size_t place_after(const struct filter_source *source, int64_t made_us, struct text key)
{
    size_t from = 0, to = source->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (is_after(&source->things[middle], made_us, key))
            to = middle;
        else
            from = middle + 1;
    }
    return from;
}

static void insert(struct filter_source *source, struct filter_thing thing)
{
    char storage[FILTER_SOURCE_KEY_SIZE];
    if (source->count == source->room) {
        source->room = source->room * 2 + 16;
        source->things = realloc(source->things, source->room * sizeof thing);
        if (!source->things)
            abort();
    }
    size_t at = place_after(source, thing.made_us, filter_source_key(storage, thing.number));
    memmove(&source->things[at + 1], &source->things[at], (source->count - at) * sizeof thing);
    source->things[at] = thing;
    source->count++;
}

/* ---- from outside ---- */

void filter_source_init(struct filter_source *source, unsigned count)
{
    *source = (struct filter_source){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    for (unsigned i = 0; i < count; i++)
        insert(source, (struct filter_thing){1000 + i, i});
}

void filter_source_fini(struct filter_source *source)
{
    free(source->things);
}

void filter_source_add(struct filter_source *source, int64_t made_us, unsigned number)
{
    pthread_mutex_lock(&source->lock);
    insert(source, (struct filter_thing){made_us, number});
    pthread_mutex_unlock(&source->lock);
}

void filter_source_remove(struct filter_source *source, unsigned number)
{
    pthread_mutex_lock(&source->lock);
    size_t kept = 0;
    for (size_t i = 0; i < source->count; i++) {
        if (source->things[i].number != number)
            source->things[kept++] = source->things[i];
    }
    source->count = kept;
    pthread_mutex_unlock(&source->lock);
}

static void set_paused(struct filter_source *source, bool paused)
{
    pthread_mutex_lock(&source->lock);
    source->paused = paused;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
}

void filter_source_pause(struct filter_source *source)
{
    set_paused(source, true);
}

void filter_source_go_on(struct filter_source *source)
{
    set_paused(source, false);
}

static bool holds(void *context)
{
    struct filter_source *source = context;
    pthread_mutex_lock(&source->lock);
    bool holds = source->holds;
    pthread_mutex_unlock(&source->lock);
    return holds;
}

bool filter_source_holds(struct filter_source *source)
{
    return scratch_eventually(holds, source);
}

/* ---- listing ---- */

/* In a process that is to be killed. */
static void tell_and_stay(int fd)
{
    if (write(fd, "", 1) != 1)
        abort();
    for (;;)
        pause();
}

static size_t read_page(struct filter_source *source, int64_t made_us, struct text key, struct filter_thing *ret)
{
    pthread_mutex_lock(&source->lock);
    size_t at = place_after(source, made_us, key), count = source->count - at;
    count = count < FILTER_PAGE_MAX ? count : FILTER_PAGE_MAX;
    memcpy(ret, &source->things[at], count * sizeof *ret);
    while (source->paused) {
        source->holds = true;
        pthread_cond_wait(&source->changed, &source->lock);
    }
    source->holds = false;
    pthread_mutex_unlock(&source->lock);
    return count;
}

enum err filter_source_list(void *context, int64_t made_us, struct text key, struct filter_listing *listing)
{
    struct filter_source *source = context;
    struct filter_thing things[FILTER_PAGE_MAX];
    char storage[FILTER_SOURCE_KEY_SIZE];
    atomic_fetch_add(&source->pages, 1);
    if (source->err)
        return err_because(source->err, "the source says so");
    size_t count = read_page(source, made_us, key, things);
    if (source->told_fd)
        tell_and_stay(source->told_fd);
    for (size_t i = 0; i < count; i++)
        filter_listed(listing, things[i].made_us, filter_source_key(storage, things[i].number));
    return ERR_NONE;
}
