/*
 * The registry of discovery, as a test has one of its own: started in a temporary folder on free ports, killed, started
 * again. A row of functions for each kind, so that one suite (check/service/test_registry.c) runs on all; to add one:
 * its file, and a program in check/service/discovery.mk.
 *
 * One of each kind a process. Used by one thread.
 */
#ifndef TANDEM_CHECK_HARNESS_REGISTRY_SERVER_H
#define TANDEM_CHECK_HARNESS_REGISTRY_SERVER_H

#include "base/err.h"
#include "discovery/discovery.h"

/* What a kind has, for cases that need it. */
enum registry_ability {
    REGISTRY_REGISTERS = 1,        /* discovery_register() does something; else put() says who there is */
    REGISTRY_AWAY = 2,             /* there is a process that can be away: kill(), start_again() */
    REGISTRY_NODES = 4,            /* of several nodes one can be killed: kill_leader() */
    REGISTRY_NOTES = 8,            /* ids, versions and zones are kept */
    REGISTRY_COMPACTS = 16,        /* its history can be cut: compact() */
    REGISTRY_SIGNS_IN = 32,        /* who asks can be made to sign in: lock() */
    REGISTRY_DOUBTED = 64,         /* that there are none is believed after a time only */
};

struct registry_server {
    const char *name;              /* of the column in doc/conformance-discovery.md */
    unsigned abilities;

    /** Why it cannot be run on this machine, a constant; NULL: it can. */
    const char *(*lacks)(void);

    /** Starts it, until it can be used. With a cause. */
    enum err (*start)(void);

    /** Ends it and removes all that it had. Nothing for one that was not started. */
    void (*stop)(void);

    /** The driver, and where it is; strings are constants. Times are the caller's. */
    void (*opts)(struct discovery_opts *opts);

    /** Without REGISTRY_REGISTERS: these are the instances of the service from now on, for this discovery. */
    enum err (*put)(struct discovery *discovery, const char *service, const struct instance *list, size_t count);

    /* ---- REGISTRY_AWAY ---- */

    /** SIGKILL to all of it. */
    void (*kill)(void);

    /** Starts it again, with what it had or having forgotten all. */
    enum err (*start_again)(bool forgetful);

    /** REGISTRY_NODES: SIGKILL to who leads. */
    enum err (*kill_leader)(void);

    /** REGISTRY_COMPACTS: changes something of another service, and cuts off all history. */
    enum err (*compact)(void);

    /** REGISTRY_SIGNS_IN: from now on opts() say who signs in, and nobody else may ask. */
    enum err (*lock)(void);
};

extern const struct registry_server registry_server_static;
extern const struct registry_server registry_server_dns;
extern const struct registry_server registry_server_etcd;
extern const struct registry_server registry_server_etcd_tls;
extern const struct registry_server registry_server_etcd_three;
extern const struct registry_server registry_server_consul;
extern const struct registry_server registry_server_consul_real;

#endif
