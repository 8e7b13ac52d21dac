/* The cases of server_cases_*.c on the libfcgi transport, but for those that ask what the library cannot do. */
#include "config.h"

#include "check/unit/server_fixture.h"

int main(void)
{
    static const char *const not_applying[] = {
        /* what the library has read ahead is lost with the request it read for */
        "requests sent all at once are answered one after the other",
        "requests sent all at once are answered when other threads finish them",
        "requests sent all at once are answered when the socket fills in between",
        "a front that has closed its own direction gets every response it asked for",
        /* its answer is fixed: one connection, one request; a query of many names overruns a buffer in it */
        "GET_VALUES is answered with what is known",
        "a GET_VALUES that is too long, cut or repetitive does no harm",
        /* a management record of a type that exists for requests is an error to it */
        "other management records are answered UNKNOWN_TYPE",
        /* each that it does not know leaks 48 bytes in it */
        "a flood of management records is answered as fast as the front reads",
        /* a request of another role is read to the end of its parameters, and cannot be answered */
        "a role other than responder is answered UNKNOWN_ROLE",
        /* nothing is read while the callee has the request */
        "a second request on the connection is turned away and the first goes on",
        "a request aborted while the callee has it is marked abandoned, and ended",
        /* an empty record of another request makes it pass over the record that follows */
        "a second request amid the records of the first is turned away",
        /* a request that begins twice is turned away as if it were a second one, and goes on */
        "a request that begins twice closes",
        /* a record of another type than it waits for is an error to it, and closes without an answer */
        "a request aborted while it comes in is ended and never dispatched",
        "a body before the end of the parameters is answered 400",
        "parameters that are cut are answered 400",
        /* it reads by blocking: a slow peer holds a lane */
        "64 peers that stop in a header delay nobody and are closed at their deadline",
        /* lanes take requests, not connections */
        "connections are shared out among the lanes",
        NULL,
    };
    return server_cases_run("libfcgi", not_applying);
}
