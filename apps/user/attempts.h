/*
 * How often somebody may try: to sign in to one account, or from one address.
 *
 * A bucket each, that holds as many tries as a minute allows and fills up evenly. Buckets are found by a keyed hash of
 * what is counted, which tells nothing of it and cannot be aimed at, in a table whose size is fixed: when its place is
 * crowded, whoever has tried least makes room, and has a full bucket again. In memory, in each process by itself: of n
 * processes each allows this much, and a restart forgets.
 *
 * Times are clock_now_ns() of whoever asks. Any thread; nothing blocks.
 */
#ifndef TANDEM_APPS_USER_ATTEMPTS_H
#define TANDEM_APPS_USER_ATTEMPTS_H

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct attempts;

/* What is counted; the same text may be of both kinds. */
enum attempts_of { ATTEMPTS_OF_ACCOUNT, ATTEMPTS_OF_SOURCE };

enum err must_check attempts_new(unsigned entries, struct attempts **ret);
void attempts_free(struct attempts *attempts);

/** Takes one out of the bucket; 0 when there was one, else how long until there will be. per_minute 0 is no limit. */
int64_t attempts_take(struct attempts *attempts, enum attempts_of of, struct text whose, unsigned per_minute,
                      int64_t now_ns);

/** Puts one back: it was no try to break in after all. */
void attempts_give_back(struct attempts *attempts, enum attempts_of of, struct text whose, unsigned per_minute);

/** Fills the bucket. */
void attempts_forget(struct attempts *attempts, enum attempts_of of, struct text whose);

/**
 * What stands for a client's address: itself; of IPv6 the /64 network, which is what one customer has, or the IPv4
 * address that it wraps. Anything else as it is, cut to ATTEMPTS_SOURCE_SIZE. A view of address or of out.
 */
enum { ATTEMPTS_SOURCE_SIZE = 64 };
struct text attempts_source(struct text address, char out[static ATTEMPTS_SOURCE_SIZE]);

#endif
