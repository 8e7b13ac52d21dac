#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "check/unit/saga_seen.h"

enum { ROOM_FIRST = 1 << 12 };

struct entry {
    struct saga_world world;
    uint64_t ways;
    bool used;
};

/* Open addressing; half of it is empty. */
struct saga_seen {
    struct entry *entries;
    size_t room, count;
};

static uint64_t hash(const struct saga_world *world)
{
    const unsigned char *bytes = (const unsigned char *)world;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof *world; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

static struct entry *place(struct entry *entries, size_t room, const struct saga_world *world)
{
    size_t at = hash(world) & (room - 1);
    while (entries[at].used && memcmp(&entries[at].world, world, sizeof *world) != 0)
        at = (at + 1) & (room - 1);
    return &entries[at];
}

struct saga_seen *saga_seen_new(void)
{
    return calloc(1, sizeof(struct saga_seen));
}

void saga_seen_free(struct saga_seen *seen)
{
    if (seen)
        free(seen->entries);
    free(seen);
}

bool saga_seen_find(const struct saga_seen *seen, const struct saga_world *world, uint64_t *ret_ways)
{
    const struct entry *entry = seen->room ? place(seen->entries, seen->room, world) : NULL;
    if (!entry || !entry->used)
        return false;
    *ret_ways = entry->ways;
    return true;
}

static bool grow(struct saga_seen *seen)
{
    size_t room = seen->room ? 2 * seen->room : ROOM_FIRST;
    struct entry *entries = calloc(room, sizeof *entries);
    if (!entries)
        return false;
    for (size_t i = 0; i < seen->room; i++) {
        if (seen->entries[i].used)
            *place(entries, room, &seen->entries[i].world) = seen->entries[i];
    }
    free(seen->entries);
    seen->entries = entries;
    seen->room = room;
    return true;
}

bool saga_seen_add(struct saga_seen *seen, const struct saga_world *world, uint64_t ways)
{
    if (2 * seen->count >= seen->room && !grow(seen))
        return false;
    *place(seen->entries, seen->room, world) = (struct entry){*world, ways, true};
    seen->count++;
    return true;
}
