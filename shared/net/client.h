/*
 * The HTTP client: calls to other services and to gateways, over libcurl.
 *
 * Blocking: for worker threads only, never for a reactor. A client may be shared by threads; connections are kept and
 * used again, as many as there were calls at once. No redirects are followed and no proxy is used.
 *
 * A client is for one target, and goes easy on it. A call has one deadline, for all of its tries. What may be sent
 * twice (by its method, or because the request says so) is tried again when the target could not be reached, was cut
 * off, or answered 429, 502, 503 or 504: after a random pause (net/retry.h) on top of what its Retry-After says, if
 * that leaves time, and within the budget for retries. A target that keeps failing is left alone for a moment
 * (net/breaker.h): calls fail at once then. Answers below 500 and requests that cannot be sent are no failures of the
 * target, nor is running out of time for who gave it less than half of timeout_ms.
 *
 * The target is at one URL, or it has instances, between which calls are balanced (net/balancer.h). Then it is an
 * instance that is left alone, and the first of the retries goes to another one: at once, unless it was told 429. So
 * that there is time for that, a first try that may be sent twice has half of the call's time, while there is another.
 *
 * Options that are zero switch all of this off: with the first three alone each call is tried once.
 */
#ifndef TANDEM_NET_CLIENT_H
#define TANDEM_NET_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/balancer.h"
#include "net/breaker.h"
#include "net/http.h"
#include "net/instances.h"

struct client_opts {
    const char *base_url;            /* "http://127.0.0.1:8080", without a slash at the end; copied */
    bool has_instances;              /* instead of base_url: client_update() tells of them */
    const char *zone;                /* with instances: see net/balancer.h */
    unsigned slow_start_ms;
    unsigned connect_timeout_ms;
    size_t response_max_bytes;
    const char *target;              /* "user", in metrics; a literal; NULL: none are kept */
    bool passes_deadline;            /* tells the other side, in CLIENT_DEADLINE_HEADER */
    unsigned retries_max;            /* tries after the first */
    unsigned retry_first_ms, retry_max_ms;
    unsigned retry_budget_percent, retry_budget_per_s;
    unsigned breaker_failures, breaker_open_ms, breaker_probes, breaker_open_max_ms;
};

/* How many milliseconds are left to the caller when it sends this: a duration, since clocks of machines differ. The
 * callee shortens its own deadline to it. */
#define CLIENT_DEADLINE_HEADER "X-Request-Timeout-Ms"

struct client_response;

struct client_request {
    enum http_method method;
    const char *path;                /* follows base_url; with its query, encoded already */
    const struct http_param *headers;
    size_t header_count;
    struct text body;                /* absent: none; application/json unless headers say otherwise */
    unsigned timeout_ms;             /* of the whole call; 0: ERR_DEADLINE at once */
    int64_t deadline_ns;             /* of the caller, clock_now_ns(): the call ends then at the latest; 0: none */
    /* Whether the answer can be understood: one that cannot is ERR_PROTOCOL, and a failure. NULL: any can. */
    bool (*accepts)(const struct client_response *answer);
    bool repeatable;                 /* sending it twice has the effect of once, whatever its method */
};

struct client_response {
    int status;
    struct buf body;                 /* buf_init()ed by client_call(); the caller does buf_fini() */
    unsigned retry_after_s;          /* what the answer's Retry-After says; 0: nothing */
};

struct client;

/** Whether it is a base_url, http or https. ERR_CONFIG with a cause. */
enum err must_check client_check_url(const char *url);

/** ERR_CONFIG for a URL that is not http or https; ERR_MEMORY. Any thread. */
enum err must_check client_new(const struct client_opts *opts, struct client **ret);

/** These are its instances from now on; those that are not called over HTTP are passed over. Any thread. ERR_MEMORY: it
 *  stays as it was. Not for a client with a base_url. */
enum err must_check client_update(struct client *client, const struct instances *instances);

/** Closes the connections. No call may be under way. NULL is fine. */
void client_free(struct client *client);

/**
 * One call. Any answer of the other side, whatever its status, is success. ERR_UNAVAILABLE when it cannot be reached,
 * or the breaker is open (client_wait_ns() tells for how long), ERR_DEADLINE when the time ran out, ERR_PROTOCOL when
 * what came back is not HTTP, is cut off or is not accepted, ERR_TOO_LARGE, ERR_INVALID for a path or a header that
 * cannot be sent, ERR_MEMORY. On failure ret is untouched.
 */
enum err must_check client_call(struct client *client, const struct client_request *request,
                                struct client_response *ret);

/** 0 when the target may be called; while the breaker is open, about how long until it may. Any thread. */
int64_t client_wait_ns(struct client *client);

/** Of the target's breaker; of several instances that of the one that is best off. Any thread. */
enum breaker_state client_breaker(struct client *client);

/** Puts into metrics how many of its instances are called, tried again, and left out, when it has a target. */
void client_measure(struct client *client);

/** Its instances, as balancer_view(). */
size_t client_view(struct client *client, struct balancer_view *ret_views, size_t max);

#endif
