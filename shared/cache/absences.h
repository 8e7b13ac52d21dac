/*
 * Absences: keys that somebody asked for a moment ago and that had no value, so that asking for them again and again
 * does not reach the source.
 *
 * Bounded by construction: a table of sets that holds hashes and no keys, beside the values, so that whoever makes up
 * keys displaces none of them. A key is its hash of 64 bits, with a secret (cache/marks.h). Within a set the one that
 * was asked for first makes room.
 *
 * Any thread; nothing blocks.
 */
#ifndef TANDEM_CACHE_ABSENCES_H
#define TANDEM_CACHE_ABSENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct absences;

struct absence {
    uint64_t hash;             /* of the key; 0: none */
    int64_t mark;             /* of when it was asked for (cache/marks.h) … */
    int64_t asked_ns;          /* … and the time */
};

enum err must_check absences_new(unsigned entries, struct absences **ret);
void absences_free(struct absences *absences);

bool absences_find(struct absences *absences, uint64_t hash, struct absence *ret);
void absences_put(struct absences *absences, const struct absence *absence);
void absences_remove(struct absences *absences, uint64_t hash);

#endif
