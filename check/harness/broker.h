/*
 * The broker of a bus, as a test has one of its own: started in a temporary folder on free ports, killed, started
 * again. A row of functions for each kind, so that one suite (check/service/test_bus.c) runs on all; to add one: its
 * file, and a program in check/service/local.mk.
 *
 * One of each kind a process. Used by one thread; broker->opts() by any.
 */
#ifndef TANDEM_CHECK_HARNESS_BROKER_H
#define TANDEM_CHECK_HARNESS_BROKER_H

#include "base/err.h"
#include "events/bus.h"

/* What a kind has, for cases that need it. */
enum broker_ability {
    BROKER_BROWSES = 1,            /* bus_browse() */
    BROKER_AWAY = 2,               /* there is a process that can be away: end(), kill(), start_again() */
    BROKER_NODES = 4,              /* of several nodes one can be killed: kill_node() */
    BROKER_GIVES_UP = 8,           /* an event that ends its consumer again and again is given up by the broker */
    BROKER_KEEPS = 16,             /* a new group begins with what was published before */
};

struct broker {
    const char *name;              /* of the column in doc/conformance-bus.md */
    unsigned abilities;

    /** Why it cannot be run on this machine, a constant; NULL: it can. */
    const char *(*lacks)(void);

    /** Starts it, until it can be used. With a cause. */
    enum err (*start)(void);

    /** Ends it and removes all that it had. Nothing for one that was not started. */
    void (*stop)(void);

    /** The options of a bus in a world of its own: what is published in one is not seen in another. Its strings are
     *  valid until the next call in this thread. */
    struct bus_opts (*opts)(const char *world);

    /* ---- BROKER_AWAY ---- */

    /** Ends it as its operator would. */
    enum err (*end)(void);

    /** SIGKILL to all of it. */
    void (*kill)(void);

    /* So long after something was made there (a queue, not an event) it is on the disk. Should a kill come first it is
     * not there in full, which is the broker's own fault, and not what is tested here. */
    unsigned settle_ms;

    /** Starts it again with what it had. */
    enum err (*start_again)(void);

    /* ---- BROKER_NODES ---- */

    /** SIGKILL to one node; the next is another. */
    void (*kill_node)(void);
};

extern const struct broker broker_embedded, broker_rabbitmq, broker_rabbitmq_cluster;
extern const struct broker broker_kafka;        /* librdkafka's mock cluster, in a process of its own */
extern const struct broker broker_kafka_real;   /* the one that TANDEM_TEST_KAFKA=host:port names */

#endif
