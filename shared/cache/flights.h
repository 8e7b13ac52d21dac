/*
 * One question at a time about a key: whoever needs an answer that is being asked for already waits for that one.
 *
 * A flight is the question about one key. Its first guest leads it: asks, and lands the flight. Others that board it
 * meanwhile are parked, holding no thread of ours; landing gives them to the leader. Who is parked past its deadline is
 * found by flights_overdue(), which somebody calls when the first of them may be, or leaves by flights_leave().
 *
 * Flights and guests have a limit each. A guest is the caller's, and belongs to the flight while it is parked. Any
 * thread; nothing blocks.
 */
#ifndef TANDEM_CACHE_FLIGHTS_H
#define TANDEM_CACHE_FLIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum { FLIGHT_KEY_MAX = 128 };

struct flights;

struct flight_guest {
    struct flight_guest *next;     /* in a flight, and in what is given back */
    int64_t deadline_ns;
};

enum err must_check flights_new(unsigned flights_max, unsigned guests_max, struct flights **ret);
void flights_free(struct flights *flights);

/** *ret_leads: the guest is to ask, and to land the flight whatever comes; it is not parked. Else it is parked, and
 *  *ret_earliest tells that it will be overdue before flights_overdue() has said that somebody is. ERR_BUSY when there
 *  is no room for another flight or another guest. A key has FLIGHT_KEY_MAX bytes at the most, and one at the least. */
enum err must_check flights_board(struct flights *flights, struct text key, struct flight_guest *guest,
                                  bool *ret_leads, bool *ret_earliest);

/** The same for who would not wait: false when there is a flight with this key, or no room for one. */
bool flights_lead(struct flights *flights, struct text key);

/** Ends the flight; returns who was parked on it, in the order of boarding. */
struct flight_guest *flights_land(struct flights *flights, struct text key);

/** Takes out one that is parked. False when it is not any more: somebody has it from flights_land() by now. */
bool flights_leave(struct flights *flights, struct text key, struct flight_guest *guest);

/** Takes out who is parked past its deadline; *ret_next_ns is the next deadline, 0 when nobody is parked. */
struct flight_guest *flights_overdue(struct flights *flights, int64_t now_ns, int64_t *ret_next_ns);

#endif
