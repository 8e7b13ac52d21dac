/*
 * What the files of discovery share. Only for shared/discovery.
 */
#ifndef TANDEM_DISCOVERY_DISCOVERY_PRIVATE_H
#define TANDEM_DISCOVERY_DISCOVERY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "discovery/discovery_driver.h"
#include "telemetry/metric.h"

struct registration;

struct discovery {
    const struct discovery_driver *driver;
    void *state;                           /* the driver's */
    struct discovery_opts opts;
    struct arena texts;                    /* those of opts */
    pthread_mutex_t lock;                  /* of what follows */
    struct discovery_watch *watches;
    struct registration *registration;     /* NULL: none */
};

struct discovery_watch {
    struct discovery *discovery;
    char service[DISCOVERY_NAME_SIZE];
    void (*changed)(void *context, struct instances *instances);
    void *context;
    void *follower;
    struct waiter waiter;
    pthread_t thread;
    struct discovery_found *found;
    char *remember_path;                   /* NULL: nothing is kept */
    int64_t remembered_ns;                 /* when that was written last; 0: never */
    bool cannot_remember;                  /* and it was told */
    int64_t empty_since_ns;                /* since when the registry knows none; 0: it knows some */
    int64_t back_since_ns;                 /* when it was last back after it was away; 0: never away */
    unsigned failures;                     /* in a row */
    pthread_mutex_t lock;                  /* of what follows */
    pthread_cond_t told;
    struct instances *instances;
    struct discovery_state told_state;
    struct metric_series known, away, answered, failed;
    struct discovery_watch *next;
};

/** "user", "order-eu": what can be in a path and in a name of the DNS. */
bool discovery_is_name(const char *service);

/** The pause after so many failures in a row, up to its half less by chance. */
unsigned discovery_pause_ms(const struct discovery_opts *opts, unsigned failures);

/** Tells of a change: whether the registry can be reached. */
void discovery_tell(const struct discovery *discovery, const char *watched, enum err err);

/** Ends a registration's thread, with or without having withdrawn it. NULL is fine. */
void registration_free(struct registration *registration);

#endif
