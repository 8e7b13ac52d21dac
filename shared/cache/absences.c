#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "cache/absences.h"

enum { WAYS = 16 };

struct absences {
    pthread_mutex_t lock;
    size_t sets;
    struct absence list[];
};

enum err absences_new(unsigned entries, struct absences **ret)
{
    size_t sets = entries / WAYS + 1;
    struct absences *absences = calloc(1, sizeof *absences + sets * WAYS * sizeof absences->list[0]);
    if (!absences)
        return err_because(ERR_MEMORY, "no memory for what is absent");
    pthread_mutex_init(&absences->lock, NULL);
    absences->sets = sets;
    *ret = absences;
    return ERR_NONE;
}

void absences_free(struct absences *absences)
{
    if (!absences)
        return;
    pthread_mutex_destroy(&absences->lock);
    free(absences);
}

/* ---- with the lock ---- */

static struct absence *set_of(struct absences *absences, uint64_t hash)
{
    return &absences->list[(hash >> 16) % absences->sets * WAYS];
}

/* The one with this hash; NULL when there is none. */
static struct absence *find(struct absences *absences, uint64_t hash)
{
    struct absence *set = set_of(absences, hash);
    for (int i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
    }
    return NULL;
}

static struct absence *find_place(struct absences *absences, uint64_t hash)
{
    struct absence *place = find(absences, hash);
    if (place)
        return place;
    struct absence *set = place = set_of(absences, hash);
    for (int i = 1; i < WAYS; i++) {
        if (set[i].asked_ns < place->asked_ns)
            place = &set[i];
    }
    return place;
}

/* ---- from outside ---- */

bool absences_find(struct absences *absences, uint64_t hash, struct absence *ret)
{
    pthread_mutex_lock(&absences->lock);
    const struct absence *found = find(absences, hash);
    if (found)
        *ret = *found;
    pthread_mutex_unlock(&absences->lock);
    return found != NULL;
}

void absences_put(struct absences *absences, const struct absence *absence)
{
    pthread_mutex_lock(&absences->lock);
    *find_place(absences, absence->hash) = *absence;
    pthread_mutex_unlock(&absences->lock);
}

void absences_remove(struct absences *absences, uint64_t hash)
{
    pthread_mutex_lock(&absences->lock);
    struct absence *found = find(absences, hash);
    if (found)
        *found = (struct absence){.hash = 0};
    pthread_mutex_unlock(&absences->lock);
}
