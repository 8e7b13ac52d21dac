#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache/memory.h"

enum {
    SHARDS_MAX = 16,
    SHARD_MIN_BYTES = 64 * 1024,   /* less is not worth another lock */
    BUCKET_BYTES = 256,            /* one bucket for so many bytes of entries */
    SMALL_PART = 10,               /* the small queue is a tenth */
    LARGEST_PART = 4,              /* and no entry more than a quarter of its shard */
    FREQUENCY_MAX = 3,
    FREQUENCY_KEPT = 2,            /* asked for so often in the small queue, it is worth keeping */
    HEAP_BYTES = 16,               /* what the heap adds to each allocation */
};

enum queue_id { SMALL, MAIN, QUEUES };

struct entry {
    struct entry *next;            /* in its bucket */
    struct entry *newer, *older;   /* in its queue */
    struct memory_note note;
    uint32_t value_length;
    uint16_t key_length;
    uint8_t frequency;
    uint8_t queue;
    char bytes[];                  /* key, value */
};

struct queue {
    struct entry *newest, *oldest;
    size_t bytes, count;
};

/* A hash of what left the small queue, and when, in terms of how many have. */
struct ghost {
    uint32_t hash, when;
};

struct shard {
    pthread_mutex_t lock;
    size_t max_bytes, bucket_mask;
    struct entry **buckets;
    struct ghost *ghosts;          /* as many as buckets */
    uint32_t left_small;
    struct queue queues[QUEUES];
    uint64_t evictions;
};

struct memory {
    size_t shard_count;            /* a power of two */
    struct shard shards[SHARDS_MAX];
};

static struct text key_of(const struct entry *entry)
{
    return (struct text){entry->bytes, entry->key_length};
}

static size_t size_of(const struct entry *entry)
{
    return sizeof *entry + entry->key_length + entry->value_length + HEAP_BYTES;
}

/* The low bits are a mark's place and a bucket's number; the shard is told by others. */
static struct shard *shard_of(struct memory *memory, uint64_t hash)
{
    return &memory->shards[(hash >> 56) & (memory->shard_count - 1)];
}

static size_t bucket_of(const struct shard *shard, uint64_t hash)
{
    return (hash >> 8) & shard->bucket_mask;
}

/* ---- life ---- */

static enum err shard_init(struct shard *shard, size_t max_bytes)
{
    size_t buckets = 16;
    while (buckets < max_bytes / BUCKET_BYTES)
        buckets *= 2;
    pthread_mutex_init(&shard->lock, NULL);
    shard->max_bytes = max_bytes;
    shard->bucket_mask = buckets - 1;
    shard->buckets = calloc(buckets, sizeof(struct entry *));
    shard->ghosts = calloc(buckets, sizeof shard->ghosts[0]);
    return shard->buckets && shard->ghosts ? ERR_NONE : err_because(ERR_MEMORY, "no memory for a cache");
}

static void shard_fini(struct shard *shard)
{
    for (int i = 0; i < QUEUES; i++) {
        while (shard->queues[i].oldest) {
            struct entry *entry = shard->queues[i].oldest;
            shard->queues[i].oldest = entry->newer;
            free(entry);
        }
    }
    free(shard->buckets);
    free(shard->ghosts);
    pthread_mutex_destroy(&shard->lock);
}

enum err memory_new(size_t max_bytes, struct memory **ret)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return err_because(ERR_MEMORY, "no memory for a cache");
    enum err err = ERR_NONE;
    size_t count = 1;
    while (count < SHARDS_MAX && max_bytes / (count * 2) >= SHARD_MIN_BYTES)
        count *= 2;
    memory->shard_count = count;
    for (size_t i = 0; i < count; i++) {
        enum err failed = shard_init(&memory->shards[i], max_bytes / count);
        err = err ? err : failed;
    }
    if (err)
        memory_free(memory);
    else
        *ret = memory;
    return err;
}

void memory_free(struct memory *memory)
{
    if (!memory)
        return;
    for (size_t i = 0; i < memory->shard_count; i++)
        shard_fini(&memory->shards[i]);
    free(memory);
}

/* ---- with the lock: the two structures an entry stands in ---- */

static void enqueue(struct shard *shard, struct entry *entry, enum queue_id id)
{
    struct queue *queue = &shard->queues[id];
    entry->queue = id;
    entry->newer = NULL;
    entry->older = queue->newest;
    *(queue->newest ? &queue->newest->newer : &queue->oldest) = entry;
    queue->newest = entry;
    queue->bytes += size_of(entry);
    queue->count++;
}

static void dequeue(struct shard *shard, struct entry *entry)
{
    struct queue *queue = &shard->queues[entry->queue];
    *(entry->newer ? &entry->newer->older : &queue->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &queue->oldest) = entry->newer;
    queue->bytes -= size_of(entry);
    queue->count--;
}

/* Where the entry with this key is pointed to from; NULL stands there when there is none. */
static struct entry **find(struct shard *shard, uint64_t hash, struct text key)
{
    struct entry **at = &shard->buckets[bucket_of(shard, hash)];
    while (*at && !((*at)->note.hash == hash && text_equal(key_of(*at), key)))
        at = &(*at)->next;
    return at;
}

static void drop(struct shard *shard, struct entry **at)
{
    struct entry *entry = *at;
    *at = entry->next;
    dequeue(shard, entry);
    free(entry);
}

/* ---- with the lock: S3-FIFO ---- */

static struct ghost *ghost_of(struct shard *shard, uint64_t hash)
{
    return &shard->ghosts[bucket_of(shard, hash)];
}

/* Whether it left the small queue not long ago: no more have since than the main queue has entries. */
static bool was_here(struct shard *shard, uint64_t hash)
{
    const struct ghost *ghost = ghost_of(shard, hash);
    return ghost->when && ghost->hash == (uint32_t)(hash >> 32) &&
           shard->left_small - ghost->when <= shard->queues[MAIN].count;
}

static void evict(struct shard *shard, struct entry *entry)
{
    if (entry->queue == SMALL) {
        shard->left_small += shard->left_small == UINT32_MAX ? 2 : 1;   /* 0 is for none */
        *ghost_of(shard, entry->note.hash) = (struct ghost){(uint32_t)(entry->note.hash >> 32), shard->left_small};
    }
    shard->evictions++;
    drop(shard, find(shard, entry->note.hash, key_of(entry)));
}

/* One step: the oldest of the queue that has too much goes, or has another round. */
static void step(struct shard *shard, bool must_go)
{
    bool is_small = shard->queues[SMALL].bytes > shard->max_bytes / SMALL_PART || !shard->queues[MAIN].oldest;
    struct entry *oldest = shard->queues[is_small ? SMALL : MAIN].oldest;
    if (must_go || oldest->frequency < (is_small ? FREQUENCY_KEPT : 1)) {
        evict(shard, oldest);
        return;
    }
    dequeue(shard, oldest);
    oldest->frequency = is_small ? 0 : oldest->frequency - 1;
    enqueue(shard, oldest, MAIN);
}

static void make_room(struct shard *shard, size_t size)
{
    for (unsigned steps = 1; shard->queues[SMALL].bytes + shard->queues[MAIN].bytes + size > shard->max_bytes; steps++)
        step(shard, steps > MEMORY_STEPS_MAX);
}

/* ---- from outside ---- */

bool memory_find(struct memory *memory, uint64_t hash, struct text key, void *storage, size_t capacity,
                 struct memory_note *ret_note, size_t *ret_length)
{
    struct shard *shard = shard_of(memory, hash);
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = *find(shard, hash, key);
    bool found = entry && entry->value_length <= capacity;
    if (found) {
        entry->frequency += entry->frequency < FREQUENCY_MAX;
        memcpy(storage, entry->bytes + entry->key_length, entry->value_length);
        *ret_length = entry->value_length;
        *ret_note = entry->note;
    }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

static struct entry *make(const struct memory_note *note, struct text key, struct text value)
{
    struct entry *entry = malloc(sizeof *entry + key.length + value.length);
    if (!entry)
        return NULL;
    *entry = (struct entry){
        .note = *note,
        .key_length = (uint16_t)key.length,
        .value_length = (uint32_t)value.length,
    };
    memcpy(entry->bytes, key.at, key.length);
    if (value.length > 0)
        memcpy(entry->bytes + key.length, value.at, value.length);
    return entry;
}

/* In place of the one that is there, of which it has the queue and how often it was asked for. */
static bool keep(struct shard *shard, struct entry *entry)
{
    enum queue_id queue = was_here(shard, entry->note.hash) ? MAIN : SMALL;
    struct entry **at = find(shard, entry->note.hash, key_of(entry));
    if (*at) {
        if ((*at)->note.version > entry->note.version && entry->note.version)
            return false;
        queue = (*at)->queue;
        entry->frequency = (*at)->frequency;
        drop(shard, at);
    }
    make_room(shard, size_of(entry));
    struct entry **bucket = &shard->buckets[bucket_of(shard, entry->note.hash)];
    entry->next = *bucket;
    *bucket = entry;
    enqueue(shard, entry, queue);
    return true;
}

enum memory_result memory_put(struct memory *memory, const struct memory_note *note, struct text key,
                              struct text value)
{
    struct shard *shard = shard_of(memory, note->hash);
    if (key.length > UINT16_MAX ||
        sizeof(struct entry) + key.length + value.length + HEAP_BYTES > shard->max_bytes / LARGEST_PART)
        return MEMORY_FULL;
    struct entry *entry = make(note, key, value);
    if (!entry)
        return MEMORY_FULL;
    pthread_mutex_lock(&shard->lock);
    bool kept = keep(shard, entry);
    pthread_mutex_unlock(&shard->lock);
    if (!kept)
        free(entry);
    return kept ? MEMORY_KEPT : MEMORY_OLDER;
}

void memory_remove(struct memory *memory, uint64_t hash, struct text key)
{
    struct shard *shard = shard_of(memory, hash);
    pthread_mutex_lock(&shard->lock);
    struct entry **at = find(shard, hash, key);
    if (*at)
        drop(shard, at);
    pthread_mutex_unlock(&shard->lock);
}

void memory_stats(struct memory *memory, struct memory_stats *ret)
{
    struct memory_stats stats = {.entries = 0};
    for (size_t i = 0; i < memory->shard_count; i++) {
        struct shard *shard = &memory->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (int j = 0; j < QUEUES; j++) {
            stats.entries += shard->queues[j].count;
            stats.bytes += shard->queues[j].bytes;
        }
        stats.evictions += shard->evictions;
        pthread_mutex_unlock(&shard->lock);
    }
    *ret = stats;
}
