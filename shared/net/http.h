/*
 * A request and its response, as every transport gives them and every handler sees them.
 *
 * A request arrives whole: all parameters and the whole body are in memory, in the request's own arena or in the
 * transport's buffers, until exchange_finish(). Header fields are read by name without regard to case or to the
 * CGI spelling (HTTP_IF_MATCH). Used by one thread at a time: whoever holds the exchange.
 */
#ifndef TANDEM_NET_HTTP_H
#define TANDEM_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

enum http_method {
    HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS,
    HTTP_OTHER,              /* any other token */
    HTTP_METHODS,
};

struct http_param {
    struct text name, value;
};

struct http_request {
    struct arena arena;              /* dropped whole when the exchange is finished */
    enum http_method method;
    struct text path;                /* as the client sent it, percent-encoding and all; starts with '/' */
    struct text query;               /* after '?', still encoded; absent when there was none */
    struct text body;                /* exactly CONTENT_LENGTH bytes; absent when there was no CONTENT_LENGTH */
    const struct http_param *params; /* the CGI variables */
    size_t param_count;
    int64_t received_ns;             /* monotonic: when the request was whole */
};

enum { HTTP_MAX_RESPONSE_HEADERS = 16 };

struct http_response {
    int status;                      /* 0 until set */
    struct http_param headers[HTTP_MAX_RESPONSE_HEADERS];
    size_t header_count;
    struct buf body;                 /* its ceiling is server_opts.response_max_bytes */
};

/** The method of a token, upper case; HTTP_OTHER when it is none of the above. */
enum http_method http_method_of(struct text token);
const char *http_method_name(enum http_method method);

/** "Not Found"; "Unknown" for a status without a registered phrase. */
const char *http_reason(int status);

/** A CGI variable, "REMOTE_ADDR"; absent when the front did not send it. */
struct text http_param(const struct http_request *request, const char *name);

/** A header field by its HTTP name, "If-Match"; absent when not sent. */
struct text http_header(const struct http_request *request, const char *name);

/**
 * Fills method, path and query from the parameters REQUEST_METHOD and REQUEST_URI (an absolute URI is cut to its
 * path). ERR_MALFORMED when they are missing or not of that form. For transports.
 */
enum err must_check http_request_line(struct http_request *request);

/** Whether the Content-Type is application/json or a "+json" type, with any parameters. */
bool http_is_json(const struct http_request *request);

/** A value of the query string, decoded into the request's arena; absent when not given. ERR_MALFORMED when it is
 *  badly encoded or given twice; ERR_MEMORY. */
enum err must_check http_query(struct http_request *request, const char *name, struct text *ret);

/**
 * Adds a response header; the name is a literal, the value is copied into the request's arena. ERR_INVALID when the
 * value has a control character (no header can be forged by input); ERR_MEMORY when there is no more room.
 */
enum err must_check http_header_add(struct http_request *request, struct http_response *response, const char *name,
                                    struct text value);

/** Forgets everything said so far, for an answer that takes another's place. */
void http_response_reset(struct http_response *response);

/** Whether a response with this status carries no body (1xx, 204, 304). */
bool http_status_bodiless(int status);

/**
 * Writes the CGI header block (RFC 3875, 6: Status, fields, empty line) of a response to out, with Content-Length, and
 * with Content-Type application/json when there is a body and no type was added. A response whose body did not fit, or
 * whose status was never set, goes out as a bare 500. For transports.
 */
void http_response_head(const struct http_request *request, const struct http_response *response, struct buf *out);

/** The bytes of the body that are to follow the head: none for HEAD and for bodiless statuses. For transports. */
struct text http_response_payload(const struct http_request *request, const struct http_response *response);

#endif
