/*
 * Problem documents (RFC 9457): how every error is told to a client, as application/problem+json.
 *
 * Members: type (a URI reference that stays the same for one kind of problem: "/problems/not-found"), title, status,
 * detail, instance (the path), request_id, and errors[] with pointer and reason for invalid input.
 */
#ifndef TANDEM_NET_PROBLEM_H
#define TANDEM_NET_PROBLEM_H

#include "base/err.h"
#include "base/json.h"
#include "net/http.h"

/* Bytes of what a client sent, or of any other text, that is told in a member; a longer one ends with an ellipsis, so
 * that a long key or path does not come back whole. */
enum { PROBLEM_TEXT_MAX = 512 };

struct problem {
    enum err err;                       /* gives status, type and title unless set below */
    int status;                         /* 0: err_status(err) */
    const char *type;                   /* NULL: by err: "/problems/" and its name. Its last words are the title */
    struct text detail;                 /* absent: left out. Never an internal cause: clients read this */
    struct text request_id;
    const struct json_faults *faults;   /* NULL or empty: left out */
    unsigned retry_after_s;             /* 0: no Retry-After header */
};

/** Makes the response this problem; whatever was in it is forgotten. A 401 also gets WWW-Authenticate: Bearer. Cannot
 *  fail: without memory it is the bare status. */
void problem_respond(const struct problem *problem, struct http_request *request, struct http_response *response);

#endif
