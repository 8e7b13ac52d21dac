/*
 * What a driver of discovery is: a row of functions. Only for shared/discovery.
 *
 * Each watch has a follower and each registered instance a registrar, which are used by one thread, that of the watch
 * or of the registration. Their functions may block for as long as discovery_opts says, and return at once with
 * ERR_CLOSED when their waiter is stopped.
 */
#ifndef TANDEM_DISCOVERY_DISCOVERY_DRIVER_H
#define TANDEM_DISCOVERY_DISCOVERY_DRIVER_H

#include "discovery/discovery.h"
#include "discovery/waiter.h"

/* What a follower has read. */
struct discovery_found {
    struct instance list[INSTANCES_MAX];
    size_t count;
    unsigned refused;
};

/** Adds it when it is well-formed, and counts it as refused otherwise. */
void discovery_found_add(struct discovery_found *found, const struct instance *instance);

struct discovery_driver {
    const char *name;
    bool is_certain;       /* forgets nothing: that there are no instances is believed at once */

    /** Checks the options, which live as long as the state. ERR_CONFIG with a cause; ERR_MEMORY. */
    enum err (*open)(const struct discovery_opts *opts, void **ret_state);
    void (*close)(void *state);
    enum err (*reload)(void *state, const char *endpoints);   /* NULL: nothing to do */

    enum err (*follower_new)(void *state, const char *service, struct waiter *waiter, void **ret_follower);
    /** The first time, and after an error, reads; else waits before that until there may be something new, or it is
     *  woken. found is empty. */
    enum err (*follow)(void *follower, struct discovery_found *found);
    void (*follower_free)(void *follower);

    /* NULL, all of them: this driver registers nothing. */
    enum err (*registrar_new)(void *state, const char *service, const struct instance *instance,
                              struct waiter *waiter, void **ret_registrar);
    /** Has the registry know it, as new or as a sign of life, and how it is. */
    enum err (*announce)(void *registrar, enum discovery_health health, const char *note);
    /** Has the registry forget it, within timeout_ms; also when the waiter is stopped. */
    enum err (*withdraw)(void *registrar, unsigned timeout_ms);
    void (*registrar_free)(void *registrar);
};

extern const struct discovery_driver discovery_static;
extern const struct discovery_driver discovery_dns;
extern const struct discovery_driver discovery_etcd;
extern const struct discovery_driver discovery_consul;

#endif
