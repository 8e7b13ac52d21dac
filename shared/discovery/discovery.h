/*
 * Discovery: where the instances of a service are, and telling others where this one is.
 *
 *     discovery_open(&opts, &discovery);
 *     discovery_watch(discovery, "user", changed, client, &watch);     client_update() in changed
 *     discovery_register(discovery, "order", instances, count);        once it is ready
 *     discovery_deregister(discovery, 1000);                           first thing when it is to end
 *
 * Who knows is the driver's business (discovery_driver.h):
 *
 *   static   the settings: "user=http://10.0.0.7:8080 user=http://10.0.0.8:8080;zone=b". Nothing is registered.
 *   dns      SRV records _http._tcp.NAME.DOMAIN, and for those without A and AAAA records of NAME.DOMAIN; read again
 *            when their lifetime is over. Nothing is registered: who runs the instances does that.
 *   etcd     version 3, by its JSON gateway: a record PREFIX/NAME/ID for each instance, kept by a lease.
 *   consul   its HTTP API, of the local agent: a service with a TTL check, found by blocking queries.
 *
 * A watch has a thread of its own, which keeps a set of instances that never changes (net/instances.h): readers take a
 * reference, and wait for nobody. Losing the registry changes nothing for them: what was known last goes on being used,
 * and the thread goes on asking, with pauses that grow. Nor does a registry that has forgotten everything, or that has
 * heard of nobody while it was away: that there are no instances any more, or fewer when it has just come back, is
 * believed when it has been so for empty_after_ms. What is known also outlives the process, where remember_path says
 * so: one that starts while the registry is away goes on with it (discovery/remembered.h).
 *
 * What is registered has a lifetime in the registry, which another thread keeps renewing, so that an instance that has
 * crashed is forgotten by itself. How the instance is goes along with it; one that is critical is not to be called.
 *
 * Threads: discovery_open() and discovery_close() by one; everything else from any.
 */
#ifndef TANDEM_DISCOVERY_DISCOVERY_H
#define TANDEM_DISCOVERY_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/instances.h"

/* How an instance is, by its own account. */
enum discovery_health { DISCOVERY_PASSING, DISCOVERY_WARNING, DISCOVERY_CRITICAL };

/* Strings are copied. "" and NULL are the same. */
struct discovery_opts {
    const char *driver;                /* "static", "dns", "etcd", "consul" */
    const char *endpoints;             /* static: NAME=INSTANCE, with spaces between; net/instances.h says how one is
                                          written */
    const char *servers;               /* etcd, consul: base URLs, with spaces between, of which one that answers is
                                          asked; dns: ADDRESS:PORT, or [ADDRESS]:PORT, of one to ask instead of
                                          the system's */
    const char *prefix;                /* etcd: "/services" */
    const char *domain;                /* dns: what comes after the name of a service */
    unsigned port;                     /* dns: of an instance that has no SRV record; 0: such are passed over */
    const char *user;                  /* etcd, with the password in secret_file */
    const char *secret_file;           /* etcd: a password; consul: an ACL token; read at each use */
    const char *ca_file, *certificate_file, *key_file;   /* of TLS; "": the system's, none, none */
    unsigned ttl_ms;                   /* what is registered lives so long without a sign of life */
    unsigned timeout_ms;               /* of one request to the registry */
    unsigned refresh_ms;               /* a watch reads again after that at the latest; dns: so long at the most */
    unsigned retry_first_ms, retry_max_ms;
    unsigned empty_after_ms;
    const char *remember_path;         /* what is known is kept in PATH-SERVICE for the next start; "": it is not */
    unsigned remember_max_s;           /* and not used when it is older */
    unsigned critical_after_ms;        /* consul: who is critical for so long is forgotten */
    /* What a registration's thread is to tell; NULL: that all is well. With a note of at most that size. */
    enum discovery_health (*health)(void *context, char *note, size_t note_size);
    /* The registry has become reachable or unreachable, on the thread it concerns. watch: whose instances are looked
     * for; NULL: of the registration. May be NULL. */
    void (*told)(void *context, const char *watched, enum err err);
    /* What was kept of a service before this start is used until the registry answers, this many instances of that age;
     * or, with an error, it is not used, or cannot be kept. On the watch's thread. May be NULL. */
    void (*remembered)(void *context, const char *watched, size_t count, int64_t age_s, enum err err);
    void *context;
};

struct discovery;
struct discovery_watch;

/** ERR_CONFIG with a cause for what the driver cannot do with; ERR_MEMORY. Asks nobody yet. */
enum err must_check discovery_open(const struct discovery_opts *opts, struct discovery **ret);

/** Withdraws what is still registered, ends all watches. NULL is fine. */
void discovery_close(struct discovery *discovery);

/** static: other endpoints; a fault in them leaves them as they were. Others pass this over. ERR_CONFIG. */
enum err must_check discovery_reload(struct discovery *discovery, const char *endpoints);

/** Whether endpoints is well-formed. ERR_CONFIG with a cause. */
enum err must_check discovery_check_endpoints(const char *endpoints);

/* ---- to find ---- */

enum { DISCOVERY_NAME_SIZE = 64, DISCOVERY_CAUSE_SIZE = 256 };

/* Of a watch, for people. */
struct discovery_state {
    bool is_known;                     /* the registry has answered once */
    bool is_remembered;                /* it has not, and what is known is from before the start */
    enum err err;                      /* of the latest reading */
    char cause[DISCOVERY_CAUSE_SIZE];
    int64_t read_ns;                   /* when it was last read well, clock_now_ns(); 0: never */
    uint64_t changes;                  /* of the set */
    unsigned refused;                  /* records of the latest reading that cannot be understood */
};

/** Follows a service. changed is called with each new set, on the watch's thread, from before this returns on; it may
 *  be NULL. ERR_MEMORY, ERR_INVALID for a name that is none. */
enum err must_check discovery_watch(struct discovery *discovery, const char *service,
                                    void (*changed)(void *context, struct instances *instances), void *context,
                                    struct discovery_watch **ret);

/** No changed() runs when it returns. At the latest discovery_close() does this. */
void discovery_unwatch(struct discovery_watch *watch);

/** What is known now, with a reference for the caller; NULL: nothing yet. Waits for nobody. */
struct instances *discovery_take(struct discovery_watch *watch);

/** Waits until something is known, or the registry has failed; false when neither has come within timeout_ms. */
bool discovery_wait(struct discovery_watch *watch, unsigned timeout_ms);

void discovery_state(struct discovery_watch *watch, struct discovery_state *ret);

/* ---- to be found ---- */

enum { DISCOVERY_REGISTERED_MAX = 4 };

/** Registers these instances (of one process: one a scheme), and keeps them so. Returns at once; once until
 *  discovery_deregister(). Nothing with a driver that registers nothing. ERR_MEMORY; ERR_INVALID. */
enum err must_check discovery_register(struct discovery *discovery, const char *service, const struct instance *list,
                                       size_t count);

/** Whether the registry knows them all, as far as is known here. */
bool discovery_is_registered(struct discovery *discovery);

/** Has the registration's thread look at the health now. */
void discovery_tell_health(struct discovery *discovery);

/** Withdraws them: ERR_NONE when the registry has confirmed it, or there was nothing; ERR_UNAVAILABLE when it has not
 *  within timeout_ms, so that they will expire. */
enum err must_check discovery_deregister(struct discovery *discovery, unsigned timeout_ms);

#endif
