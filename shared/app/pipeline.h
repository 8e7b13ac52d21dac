/*
 * The pipeline: what happens to every request, from the transport's dispatch to the response.
 *
 *   request id -> admission -> route -> deadline -> who is asking -> input -> handler -> response -> log and metrics
 *
 * It runs on the lane until something would block: an unknown token and a task go on on the worker pool, a command
 * goes on in the database's writer, and the answer is given from there.
 *
 * A call has one deadline: server.request_timeout_ms after it came, or what its caller says in CLIENT_DEADLINE_HEADER
 * when that is sooner. It is looked at before each step, and by queries while they run; calls to other services take
 * along what is left of it. Whoever asks may shorten it, which harms nobody else.
 */
#ifndef TANDEM_APP_PIPELINE_H
#define TANDEM_APP_PIPELINE_H

#include "app/call.h"
#include "net/server.h"

/** The server's dispatch; context is the struct service. */
void pipeline_dispatch(struct exchange *exchange, void *context);

/** Ends a call that its endpoint's `later` has taken: with the response that it has, or the problem document of an
 *  error. Any thread, once; the call is gone after. */
void pipeline_answer(struct call *call, enum err err);

/** Answers a call whose idempotency key is under way elsewhere for longer than it can wait (claims.h). */
void pipeline_overdue(struct claim *claim);

/* ---- for who finds out who is asking (auth.h) ---- */

/** Goes on with resume on a worker. Never blocks. ERR_BUSY, ERR_CLOSED; the call is still the caller's then. */
enum err must_check pipeline_to_worker(struct call *call, enum pool_kind kind, void (*resume)(struct call *call));

/** Goes on with resume here and now, on a worker that has this reader. */
void pipeline_on_this_worker(struct call *call, struct db_connection *reader, void (*resume)(struct call *call));

/** From now on this thread logs as of this call again. */
void pipeline_enter(const struct call *call);

/** It is known who is asking, in call->caller; or why not. The call is gone after. Any thread for an error, else a
 *  worker. */
void pipeline_identified(struct call *call, enum err err);

#endif
