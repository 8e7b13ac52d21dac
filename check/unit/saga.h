/*
 * Every way that orders can go: drives the real code of both sides (saga_sides.h) through each order in which
 * events, their repeats, the customer, the gateway, time and crashes may come, and looks after each step whether
 * what must always hold does, and in each state where nothing is left to come, whether all is final.
 *
 * Steps are taken in a savepoint and taken back. States that were seen are not gone on from again (their key is all
 * that the code could tell apart), so that what is counted as interleavings are the ways through the graph of
 * states. Events may overtake each other, which the bus forbids: that is more than has to be borne.
 */
#ifndef TANDEM_CHECK_UNIT_SAGA_H
#define TANDEM_CHECK_UNIT_SAGA_H

#include "check/unit/saga_sides.h"

/* What may happen so many times, of all orders together; all else happens as often as the code brings it about. */
enum saga_budget {
    SAGA_DUPLICATES,     /* an event comes again, however late */
    SAGA_CANCELS,        /* the customer cancels, or tries to */
    SAGA_EXPIRIES,       /* a reservation's time is up */
    SAGA_NUDGES,
    SAGA_UNKNOWNS,       /* the gateway's answer does not come, or who asked dies with it; it may have done its work */
    SAGA_TAKEOVERS,      /* a payment that is being asked for is asked for by somebody else as well */
    SAGA_DISCARDS,       /* an operator discards an event */
    SAGA_HEALINGS,       /* when all is quiet and not final, time passes: what is stuck is nudged, and so on */
    SAGA_BUDGETS,
};

struct saga_opts {
    const char *name;
    int orders;
    int64_t quantity, on_hand;                  /* pieces of each order, and there are */
    uint8_t budget[SAGA_BUDGETS];
    enum saga_fault fault;
    bool rash;                                  /* inventory decides by itself what has expired */
};

struct saga_report {
    uint64_t interleavings, states, steps;
    char violation[4096];                       /* and the way there; "" when none was found */
};

void saga_explore(const struct saga_opts *opts, struct saga_report *ret);

#endif
