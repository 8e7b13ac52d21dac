/*
 * Load in turns: kept connections to a web server, over which requests go for a moment, and then none. So systems are
 * compared within the same moments: where a machine is shared, one second is not like the next, and two moments of some
 * milliseconds nearly are.
 *
 * One thread. A connection sends its next request when it has its answer; after an error they are of no further use.
 */
#ifndef TANDEM_CHECK_BENCH_TURNS_H
#define TANDEM_CHECK_BENCH_TURNS_H

#include <stddef.h>

#include "base/err.h"

enum { TURNS_REQUEST_MAX = 1024, TURNS_ANSWER_MAX = 16384 };

struct turns;

/** Writes a whole HTTP/1.1 request, zero-terminated, which has to be shorter than that. */
typedef void turns_request(void *context, char out[static TURNS_REQUEST_MAX]);

/** Connects to 127.0.0.1. ERR_IO, ERR_MEMORY. */
enum err must_check turns_open(unsigned port, unsigned connections, struct turns **ret);
void turns_close(struct turns *turns);

struct turn {
    turns_request *request;
    void *context;
    int status;                /* of every answer */
    long requests;             /* so many; or, when that is 0, */
    unsigned ms;               /* for so long */
};

/** Requests over all connections at once until the turn is over, and waits for their answers. ERR_IO; ERR_INTERNAL with
 *  what was answered instead. */
enum err must_check turns_run(struct turns *turns, const struct turn *turn, long *ret_requests);

#endif
