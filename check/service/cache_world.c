#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "check/service/cache_world.h"

enum { MAX_BYTES = 4 * 1024 * 1024, ABSENT_ENTRIES = 4096, FLIGHTS = 64, WAITERS = 1024, QUEUE = 4096,
       HOLDS_TIMEOUT_MS = 10000 };

const struct cache_lifetimes world_lifetimes = {
    .fresh_ns = 20 * NS_PER_S,
    .stale_ns = 60 * NS_PER_S,
    .absent_ns = 20 * NS_PER_S,
    .near_ns = SITE_NEAR_MS * NS_PER_MS,
};

const char *world_folder(void)
{
    static char *folder;
    if (!folder)
        folder = process_folder();
    return folder;
}

/* ---- sites ---- */

static void open_remote(struct site *site, const struct site_opts *opts)
{
    struct cache_remote_opts remote_opts = {
        .url = world->url(),
        .user = "",
        .password_file = "",
        .timeout_ms = SITE_TIMEOUT_MS,
        .connections_max = 4,
        .claim_ms = SITE_CLAIM_MS,
        .queue_max = QUEUE,
        .replicas = opts->replicas,
        .breaker_failures = 3,
        .breaker_open_ms = 100,
    };
    if (world->enter)
        world->enter(&remote_opts);
    if (opts->user)
        remote_opts.user = opts->user;
    if (opts->password_file)
        remote_opts.password_file = opts->password_file;
    CU_ASSERT_EQUAL_FATAL(cache_remote_open(&remote_opts, &site->remote), ERR_NONE);
}

void site_open(struct site *site, const struct site_opts *given)
{
    static unsigned turn;
    struct site_opts opts = given ? *given : (struct site_opts){.name = NULL};
    *site = (struct site){.cache = NULL};
    if (opts.name)
        snprintf(site->name, sizeof site->name, "%s", opts.name);
    else
        snprintf(site->name, sizeof site->name, "case%u", turn++);
    if (!opts.marks)
        CU_ASSERT_EQUAL_FATAL(marks_open(NULL, &site->own_marks), ERR_NONE);
    if (world->url())
        open_remote(site, &opts);
    const struct cache_opts cache_opts = {
        .name = site->name,
        .marks = opts.marks ? opts.marks : site->own_marks,
        .remote = site->remote,
        .filter = opts.filter,
        .max_bytes = opts.max_bytes ? opts.max_bytes : MAX_BYTES,
        .value_max_bytes = SITE_VALUE_MAX,
        .absent_entries = ABSENT_ENTRIES,
        .flights_max = opts.flights_max ? opts.flights_max : FLIGHTS,
        .waiters_max = opts.waiters_max ? opts.waiters_max : WAITERS,
    };
    CU_ASSERT_EQUAL_FATAL(cache_new(&cache_opts, &site->cache), ERR_NONE);
}

void site_open_other(struct site *site, const struct site *first)
{
    site_open(site, &(struct site_opts){.name = first->name});
}

void site_close(struct site *site)
{
    cache_free(site->cache);
    cache_remote_close(site->remote);
    marks_close(site->own_marks);
}

/* ---- sources ---- */

void source_init(struct source *source, int64_t value)
{
    *source = (struct source){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .value = value};
}

void source_set(struct source *source, int64_t value, uint64_t version)
{
    pthread_mutex_lock(&source->lock);
    source->value = value;
    source->version = version;
    pthread_mutex_unlock(&source->lock);
}

static void set_paused(struct source *source, bool paused)
{
    pthread_mutex_lock(&source->lock);
    source->paused = paused;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
}

void source_pause(struct source *source)
{
    set_paused(source, true);
}

void source_go_on(struct source *source)
{
    set_paused(source, false);
}

struct holding {
    struct source *source;
    unsigned waiting;
};

static bool holds(void *context)
{
    struct holding *holding = context;
    pthread_mutex_lock(&holding->source->lock);
    bool enough = holding->source->waiting >= holding->waiting;
    pthread_mutex_unlock(&holding->source->lock);
    return enough;
}

bool source_holds(struct source *source, unsigned waiting)
{
    struct holding holding = {source, waiting};
    return process_until(holds, &holding, HOLDS_TIMEOUT_MS);
}

/* A source's answer is as of when it was read, however long it takes to come. */
static enum err load(void *context, struct cache_value *ret)
{
    struct source *source = context;
    atomic_fetch_add(&source->asked, 1);
    pthread_mutex_lock(&source->lock);
    enum err err = source->err;
    ret->length = (size_t)snprintf(ret->data, ret->capacity, "%lld", (long long)source->value);
    ret->version = source->version;
    ret->group = text_of(source->group);
    ret->until_ns = source->left_ns ? clock_now_ns() + source->left_ns : 0;
    unsigned delay_ms = source->delay_ms;
    source->waiting++;
    while (source->paused)
        pthread_cond_wait(&source->changed, &source->lock);
    source->waiting--;
    pthread_mutex_unlock(&source->lock);
    if (delay_ms)
        nanosleep(&(struct timespec){.tv_nsec = delay_ms * NS_PER_MS}, NULL);
    return err ? err_because(err, "the source says so") : ERR_NONE;
}

/* ---- asking ---- */

static int64_t number_of(const struct cache_value *value)
{
    int64_t number = -1;
    if (text_to_int((struct text){value->data, value->length}, &number))
        return -1;
    return number;
}

enum err world_ask_for(struct site *site, const char *key, struct source *source,
                       const struct cache_lifetimes *lifetimes, unsigned timeout_ms, int64_t *ret)
{
    char storage[SITE_VALUE_MAX];
    struct cache_value value = {.data = storage, .capacity = sizeof storage};
    const struct cache_request request = {
        .key = text_of(key),
        .lifetimes = *lifetimes,
        .load = load,
        .context = source,
        .deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS,
    };
    enum err err = cache_get_or_load(site->cache, &request, &value);
    if (!err && ret)
        *ret = number_of(&value);
    return err;
}

enum err world_ask(struct site *site, const char *key, struct source *source, int64_t *ret)
{
    return world_ask_for(site, key, source, &world_lifetimes, WORLD_DEADLINE_MS, ret);
}

enum cache_found world_look_at(struct site *site, const char *key, const struct cache_lifetimes *lifetimes,
                               int64_t now_ns, int64_t *ret)
{
    char storage[SITE_VALUE_MAX];
    struct cache_value value = {.data = storage, .capacity = sizeof storage};
    enum cache_found found = cache_get(site->cache, text_of(key), lifetimes, now_ns, &value);
    if (ret && found != CACHE_NOTHING && found != CACHE_ABSENT)
        *ret = number_of(&value);
    return found;
}

enum cache_found world_look(struct site *site, const char *key, int64_t *ret)
{
    return world_look_at(site, key, &world_lifetimes, clock_now_ns(), ret);
}

bool world_put(struct site *site, const char *key, int64_t number, uint64_t version)
{
    char storage[SITE_VALUE_MAX];
    struct cache_value value = {.data = storage, .capacity = sizeof storage, .version = version};
    value.length = (size_t)snprintf(storage, sizeof storage, "%lld", (long long)number);
    return cache_put(site->cache, text_of(key), &value, cache_mark(), clock_now_ns());
}

static void *ask(void *context)
{
    struct asker *asker = context;
    int64_t began_ns = clock_now_ns();
    asker->err = world_ask_for(asker->site, asker->key, asker->source,
                               asker->lifetimes ? asker->lifetimes : &world_lifetimes,
                               asker->timeout_ms ? asker->timeout_ms : WORLD_DEADLINE_MS, &asker->value);
    asker->took_ns = clock_now_ns() - began_ns;
    asker->told = true;
    return NULL;
}

void asker_start(struct asker *asker)
{
    CU_ASSERT_EQUAL_FATAL(pthread_create(&asker->thread, NULL, ask, asker), 0);
}

void asker_join(struct asker *asker)
{
    pthread_join(asker->thread, NULL);
}
