/*
 * One thread's way to a registry over HTTP: a question at a time, to one of several servers.
 *
 * The server that answered last is asked; when it cannot be reached, breaks off, answers 5xx or is too slow, the next
 * ones are, each once. A question may be a long one, whose answer comes in lines as there is something to say. All
 * waits end when the waiter is stopped.
 */
#ifndef TANDEM_DISCOVERY_REGISTRY_H
#define TANDEM_DISCOVERY_REGISTRY_H

#include "base/buf.h"
#include "base/secret.h"
#include "base/text.h"
#include "discovery/discovery.h"
#include "discovery/waiter.h"

struct registry;

struct registry_request {
    const char *method;                /* "GET", "PUT", "POST" */
    const char *path;
    struct text body;                  /* JSON; absent: none */
    const char *secret_header;         /* "Authorization", with the secret as its value; NULL: none */
    struct secret secret;
    unsigned timeout_ms;               /* of each try; 0: the options' */
    unsigned first_byte_ms;            /* when something has to have come; 0: by the end */
    bool is_last_will;                 /* goes on when the waiter is stopped */
    /* Each line of a long answer with status 200; false: that is enough. A long answer that ends, by enough, by its
     * server or by its time, is a success. NULL: the answer is gathered. */
    bool (*line)(void *context, struct text line);
    void *context;
};

struct registry_answer {
    int status;
    struct buf body;                   /* the caller does buf_fini() */
    int64_t index;                     /* X-Consul-Index; 0: none */
};

/** Whether these are base URLs, http or https, with spaces between. ERR_CONFIG. */
enum err must_check registry_check_servers(const char *servers);

/** Strings of opts are not copied. ERR_MEMORY. */
enum err must_check registry_new(const struct discovery_opts *opts, struct waiter *waiter, struct registry **ret);
void registry_free(struct registry *registry);

/**
 * Any status below 500 is a success. ERR_UNAVAILABLE, ERR_DEADLINE when no server has answered; ERR_CLOSED when the
 * waiter was stopped; ERR_TOO_LARGE; ERR_MEMORY. On failure ret is untouched.
 */
enum err must_check registry_ask(struct registry *registry, const struct registry_request *request,
                                 struct registry_answer *ret);

/** Tries another server from now on: for one that answers and is of no use. */
void registry_turn(struct registry *registry);

#endif
