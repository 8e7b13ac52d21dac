/*
 * The pipeline: what happens to every request, from the transport's dispatch to the response.
 *
 *   request id -> admission -> route -> deadline -> who is asking -> input -> handler -> response -> log and metrics
 *
 * It runs on the lane until something would block: an unknown token and a task go on on the worker pool, a command
 * goes on in the database's writer, and the answer is given from there.
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

#endif
