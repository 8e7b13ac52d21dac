/*
 * A call: one request on its way through a service, and what its handler sees and says.
 *
 * An endpoint is a row of the service's table. It says who may call, what the body looks like, and by which of its
 * functions how the handler runs:
 *   check    on the lane, after the body was read: rules that need no data. May be NULL.
 *   task     on the worker pool: may block. May be NULL. Runs before query or command, and may answer by itself.
 *   query    reads, on the lane (or on the worker, after a task), with that thread's reading connection.
 *   command  changes, inside the writer's transaction; the answer it makes leaves only when that is durable. It may be
 *            run again, so it has no effect outside the transaction but on its call, which is reset before.
 *   later    on the lane, instead of query and command: takes the call, and sees to it that pipeline_answer() ends it,
 *            at once or from another thread, within a bounded time. Returns nothing.
 * Each other returns ERR_NONE after it made the response, or an error, which is answered as a problem document.
 *
 * Threads: a call is with one thread at a time. Everything it holds lives in its request's arena.
 */
#ifndef TANDEM_APP_CALL_H
#define TANDEM_APP_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "app/claims.h"
#include "app/pool.h"
#include "base/id.h"
#include "base/json.h"
#include "base/json_write.h"
#include "cache/flights.h"
#include "conf/settings.h"
#include "net/problem.h"
#include "net/route.h"
#include "net/server.h"
#include "state/db.h"
#include "telemetry/trace.h"

struct service;
struct call;

enum role {
    ROLE_CUSTOMER = 1 << 0,
    ROLE_ADMIN = 1 << 1,
    ROLE_SERVICE = 1 << 2,
    ROLE_ANY = ROLE_CUSTOMER | ROLE_ADMIN | ROLE_SERVICE,
};

/** ROLE_… of "customer", "admin", "service"; 0 for anything else. */
unsigned role_of(struct text name);
const char *role_name(unsigned role);

/* Who is asking. */
struct identity {
    char user_id[ID_SIZE];
    char token_digest[TOKEN_DIGEST_SIZE];   /* of the bearer token used */
    unsigned role;                          /* one of enum role; 0: nobody */
    int64_t expires_us;                     /* of the token, wall time */
};

typedef enum err call_work(struct call *call);

/* The shape of a JSON body. */
struct input {
    const struct json_field *fields;
    size_t size_bytes;              /* of the struct the fields fill */
};

struct endpoint {
    struct route route;             /* first: this is a row for the router */
    unsigned access;                /* roles that may call; 0: everybody, and no token is looked at */
    bool idempotent;                /* needs an Idempotency-Key; a repeat gets the stored answer */
    /* What of the input makes two requests with one key the same; NULL: all of the body. For inputs with a secret, of
     * which not even a digest is to be kept. */
    void (*likeness)(const struct call *call, struct buf *out);
    const struct input *input;      /* NULL: a body is not looked at */
    call_work *check, *task, *query, *command;
    void (*later)(struct call *call);
    enum pool_kind pool;            /* whose share of the workers the task is of */
    bool may_be_stale;              /* the query may be answered as of a moment ago, by a replica */
};

struct call {
    struct service *service;
    struct settings *settings;         /* as they were when the call came in; all of it is done by them */
    struct exchange *exchange;
    const struct endpoint *endpoint;   /* NULL until routed */
    struct route_match match;
    struct db_connection *db;          /* query, task: the thread's reader; command: the writer's connection; NULL on a
                                          lane that has none */
    struct identity caller;
    struct text request_id;
    struct text tracestate;            /* that came with the request and may be passed on; absent when there is none */
    struct text traceparent;           /* likewise; for what is told to others see call_trace_here() */
    struct trace_part *trace;          /* what this call is in its trace; see app/call_trace.h */
    struct text idempotency_key;
    struct claim claim;                /* to that */
    void *input;                       /* filled from the body, by endpoint->input; zeroed first */
    void *state;                       /* the handler's own, from one of its functions to the next */
    struct json_faults *faults;        /* of the input; see call_fault() */
    struct problem problem;            /* what the error will say; call_refuse() fills it */
    int64_t started_ns, deadline_ns;
    int64_t queue_ns;                  /* waited so far for a lane, a worker and the writer */
    struct db_job job;                 /* the pipeline's from here on */
    struct pool_job task;
    struct flight_guest guest;         /* while it waits for who is asking */
    void (*resume)(struct call *call);
    int64_t queued_since_ns;           /* 0: not in a queue */
    int64_t checked_ns;                /* when its deadline was looked at last */
    struct trace_span *trace_mark, *transaction;
    bool on_worker, replayed;
    bool traced;                       /* at its end: its trace is kept */
    enum err err;                      /* how it ended … */
    const char *cause;                 /* … and why, when that was said on another thread; may be NULL */
    char made_id[ID_SIZE];
};

/** The request's arena. */
struct arena *call_arena(struct call *call);

/** The service's own state, as its start() set it. */
void *call_app(const struct call *call);

/** An integer option, as it was when the call came in. */
int64_t call_setting(const struct call *call, enum option_id option);

/** A {name} of the path, decoded. */
struct text call_path(const struct call *call, const char *name);

/** Whether the caller has one of these roles. */
bool call_has_role(const struct call *call, unsigned roles);

/**
 * Says what went wrong, for the client to read, and returns err: `return call_refuse(call, ERR_CONFLICT,
 * "email-taken", "This e-mail address has an account already.")`. type (may be NULL) becomes "/problems/" type.
 */
enum err call_refuse(struct call *call, enum err err, const char *type, const char *detail);

/** Adds a fault of the input found by the handler's own rules; pointer is RFC 6901. Answer with ERR_INVALID then. */
enum err call_fault(struct call *call, const char *pointer, const char *reason);

/** Starts a JSON response; write the body with the writer. ERR_NONE is then what the handler returns. */
void call_json(struct call *call, int status, struct json_writer *writer);

/** A response without a body. */
void call_empty(struct call *call, int status);

/** Adds a response header; what does not fit fails the call with ERR_MEMORY at its end. */
void call_header(struct call *call, const char *name, const char *format, ...) printf_like(3, 4);

/** The version in If-Match: "7" (a strong entity tag of one decimal number), or any for "*", as -1. Refuses with
 *  ERR_PRECONDITION_REQUIRED without, ERR_PRECONDITION_FAILED for tags that cannot match, ERR_MALFORMED. */
enum err must_check call_if_match(struct call *call, int64_t *ret_version);

/* ---- pages of a list ---- */

struct page {
    int64_t limit;         /* rows wanted */
    struct text after;     /* the key the page before ended with; empty on the first page */
};

/** Reads limit and cursor of the query string, within page.limit_default and page.limit_max. ERR_INVALID. */
enum err must_check call_page(struct call *call, struct page *ret);

/** Writes member "next_cursor": opaque and stable, made of the last row's key; null for an absent key. */
void call_page_next(struct call *call, struct json_writer *writer, struct text last_key);

#endif
