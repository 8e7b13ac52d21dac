/*
 * Instances of a service: where each of them answers, and what else is known of it; and sets of them that never change,
 * which is what whoever finds them (discovery/) gives to whoever calls them (net/client.h).
 *
 * Written as text an instance is its URL, with what is not as usual behind semicolons:
 *     http://10.0.0.7:8080   https://eu.example.org:443;weight=50;zone=eu-1;version=1.4;id=7f3a   fcgi:/run/user.sock
 *
 * A set is counted by its references: any thread may read one that it has a reference to.
 */
#ifndef TANDEM_NET_INSTANCES_H
#define TANDEM_NET_INSTANCES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum {
    INSTANCES_MAX = 256,               /* of a service; further ones are left out */
    INSTANCE_ID_SIZE = 128,
    INSTANCE_SCHEME_SIZE = 8,
    INSTANCE_ADDRESS_SIZE = 256,       /* a whole name of the DNS and a zero; a socket's path has room for 107 bytes */
    INSTANCE_NOTE_SIZE = 64,
    INSTANCE_URL_SIZE = 280,
    INSTANCE_WEIGHT = 100,             /* when nothing is said */
    INSTANCE_WEIGHT_MAX = 10000,
};

struct instance {
    char id[INSTANCE_ID_SIZE];         /* of visible ASCII; one process of the service, from its start to its end */
    char scheme[INSTANCE_SCHEME_SIZE]; /* "http", "https"; "fcgi": where it takes FastCGI, for a web server */
    char address[INSTANCE_ADDRESS_SIZE];   /* a name, 10.0.0.7, fd00::7; of fcgi also a socket's path */
    unsigned port;                     /* 0 with a path */
    unsigned weight;                   /* how much it takes, compared to others; at least 1 */
    char version[INSTANCE_NOTE_SIZE];  /* of the program; "" when not known */
    char zone[INSTANCE_NOTE_SIZE];     /* where it is; "" when not known */
};

struct instances {
    atomic_uint references;
    size_t count;
    struct instance list[];            /* by id; no id twice */
};

/** Reads an instance that is written as above; without an id, its URL is one. ERR_INVALID with a cause. */
enum err must_check instance_read(struct text text, struct instance *ret);

/** ERR_INVALID with a cause when a field is not as it should be, as what others registered may be. */
enum err must_check instance_check(const struct instance *instance);

/** "http://[fd00::7]:8080", "fcgi:/run/user.sock"; returns out. */
char *instance_url(const struct instance *instance, char out[static INSTANCE_URL_SIZE]);

/** Whether it is called over HTTP. */
bool instance_is_http(const struct instance *instance);

/** Whether all that is known of them is the same. */
bool instance_equal(const struct instance *a, const struct instance *b);

/** Of the first INSTANCES_MAX; of those with the same id the first one counts. With one reference. ERR_MEMORY. */
enum err must_check instances_new(const struct instance *list, size_t count, struct instances **ret);

struct instances *instances_ref(struct instances *instances);
/** NULL is fine. */
void instances_unref(struct instances *instances);

/** NULL is a set of none. */
bool instances_equal(const struct instances *a, const struct instances *b);

#endif
