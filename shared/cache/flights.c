#include "config.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache/flights.h"

struct flight {
    size_t key_length;                             /* 0: none */
    char key[FLIGHT_KEY_MAX];
    struct flight_guest *first, **last;
};

/* Few at once, and a miss of the cache is about to cost far more than a look through them. */
struct flights {
    pthread_mutex_t lock;
    unsigned max, used;                            /* no flight is past the first `used` */
    unsigned guests_max, guests;
    int64_t expected_ns;                           /* when flights_overdue() will be called; 0: not before it is told */
    struct flight list[];
};

enum err flights_new(unsigned flights_max, unsigned guests_max, struct flights **ret)
{
    struct flights *flights = calloc(1, sizeof *flights + flights_max * sizeof flights->list[0]);
    if (!flights)
        return err_because(ERR_MEMORY, "no memory for questions under way");
    flights->max = flights_max;
    flights->guests_max = guests_max;
    pthread_mutex_init(&flights->lock, NULL);
    *ret = flights;
    return ERR_NONE;
}

void flights_free(struct flights *flights)
{
    if (!flights)
        return;
    pthread_mutex_destroy(&flights->lock);
    free(flights);
}

/* ---- with the lock ---- */

/* The flight about this key, an empty one for a free place; NULL when there is none. */
static struct flight *find(struct flights *flights, struct text key)
{
    for (unsigned i = 0; i < flights->used; i++) {
        struct flight *flight = &flights->list[i];
        if (flight->key_length == key.length && memcmp(flight->key, key.at, key.length) == 0)
            return flight;
    }
    return NULL;
}

static enum err take_off(struct flights *flights, struct text key)
{
    struct flight *flight = find(flights, TEXT(""));
    if (!flight && flights->used == flights->max)
        return err_because(ERR_BUSY, "%u questions are being asked already", flights->max);
    if (!flight)
        flight = &flights->list[flights->used++];
    assert(key.length > 0 && key.length <= FLIGHT_KEY_MAX);
    memcpy(flight->key, key.at, key.length);
    flight->key_length = key.length;
    flight->first = NULL;
    flight->last = &flight->first;
    return ERR_NONE;
}

static enum err park(struct flights *flights, struct flight *flight, struct flight_guest *guest)
{
    if (flights->guests == flights->guests_max)
        return err_because(ERR_BUSY, "%u wait for the answer to another's question already", flights->guests_max);
    guest->next = NULL;
    *flight->last = guest;
    flight->last = &guest->next;
    flights->guests++;
    return ERR_NONE;
}

/* Moves who is overdue to the end of *overdue, and returns that end; *next_ns becomes the earliest of the others. */
static struct flight_guest **take_overdue(struct flights *flights, struct flight *flight, int64_t now_ns,
                                          struct flight_guest **overdue, int64_t *next_ns)
{
    struct flight_guest **at = &flight->first;
    while (*at) {
        struct flight_guest *guest = *at;
        if (guest->deadline_ns > now_ns) {
            if (!*next_ns || guest->deadline_ns < *next_ns)
                *next_ns = guest->deadline_ns;
            at = &guest->next;
            continue;
        }
        *at = guest->next;
        guest->next = NULL;
        *overdue = guest;
        overdue = &guest->next;
        flights->guests--;
    }
    flight->last = at;
    return overdue;
}

/* ---- from outside ---- */

enum err flights_board(struct flights *flights, struct text key, struct flight_guest *guest,
                       bool *ret_leads, bool *ret_earliest)
{
    pthread_mutex_lock(&flights->lock);
    struct flight *flight = find(flights, key);
    enum err err = flight ? park(flights, flight, guest) : take_off(flights, key);
    bool is_earliest = !err && flight && (!flights->expected_ns || guest->deadline_ns < flights->expected_ns);
    if (is_earliest)
        flights->expected_ns = guest->deadline_ns;
    pthread_mutex_unlock(&flights->lock);
    if (!err) {
        *ret_leads = !flight;
        *ret_earliest = is_earliest;
    }
    return err;
}

bool flights_lead(struct flights *flights, struct text key)
{
    pthread_mutex_lock(&flights->lock);
    bool leads = !find(flights, key) && take_off(flights, key) == ERR_NONE;
    pthread_mutex_unlock(&flights->lock);
    return leads;
}

struct flight_guest *flights_land(struct flights *flights, struct text key)
{
    pthread_mutex_lock(&flights->lock);
    struct flight *flight = find(flights, key);
    assert(flight);
    struct flight_guest *parked = flight->first;
    for (struct flight_guest *guest = parked; guest; guest = guest->next)
        flights->guests--;
    flight->key_length = 0;
    flight->first = NULL;
    while (flights->used > 0 && flights->list[flights->used - 1].key_length == 0)
        flights->used--;
    pthread_mutex_unlock(&flights->lock);
    return parked;
}

bool flights_leave(struct flights *flights, struct text key, struct flight_guest *guest)
{
    pthread_mutex_lock(&flights->lock);
    struct flight *flight = find(flights, key);
    struct flight_guest **at = flight ? &flight->first : NULL;
    while (at && *at && *at != guest)
        at = &(*at)->next;
    bool was_parked = at && *at;
    if (was_parked) {
        *at = guest->next;
        if (!guest->next)
            flight->last = at;
        flights->guests--;
    }
    pthread_mutex_unlock(&flights->lock);
    return was_parked;
}

struct flight_guest *flights_overdue(struct flights *flights, int64_t now_ns, int64_t *ret_next_ns)
{
    struct flight_guest *overdue = NULL, **end = &overdue;
    int64_t next_ns = 0;
    pthread_mutex_lock(&flights->lock);
    for (unsigned i = 0; i < flights->used; i++) {
        if (flights->list[i].key_length > 0)
            end = take_overdue(flights, &flights->list[i], now_ns, end, &next_ns);
    }
    flights->expected_ns = next_ns;
    pthread_mutex_unlock(&flights->lock);
    *ret_next_ns = next_ns;
    return overdue;
}
