/*
 * The HTTP client: calls to other services and to gateways, over libcurl.
 *
 * Blocking: for worker threads only, never for a reactor. A client may be shared by threads; connections are kept and
 * used again, as many as there were calls at once. No redirects are followed and no proxy is used.
 */
#ifndef TANDEM_NET_CLIENT_H
#define TANDEM_NET_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

struct client_opts {
    const char *base_url;            /* "http://127.0.0.1:8080", without a slash at the end; copied */
    unsigned connect_timeout_ms;
    size_t response_max_bytes;
};

struct client_request {
    enum http_method method;
    const char *path;                /* follows base_url; with its query, encoded already */
    const struct http_param *headers;
    size_t header_count;
    struct text body;                /* absent: none; application/json unless headers say otherwise */
    unsigned timeout_ms;             /* of the whole call; 0: ERR_DEADLINE at once */
};

struct client_response {
    int status;
    struct buf body;                 /* buf_init()ed by client_call(); the caller does buf_fini() */
};

struct client;

/** ERR_CONFIG for a URL that is not http or https; ERR_MEMORY. Any thread. */
enum err must_check client_new(const struct client_opts *opts, struct client **ret);

/** Closes the connections. No call may be under way. NULL is fine. */
void client_free(struct client *client);

/**
 * One call. Any answer of the other side, whatever its status, is success. ERR_UNAVAILABLE when it cannot be reached,
 * ERR_DEADLINE when timeout_ms ran out, ERR_PROTOCOL when what came back is not HTTP or is cut off, ERR_TOO_LARGE,
 * ERR_INVALID for a path or a header that cannot be sent, ERR_MEMORY. On failure ret is untouched.
 */
enum err must_check client_call(struct client *client, const struct client_request *request,
                                struct client_response *ret);

#endif
