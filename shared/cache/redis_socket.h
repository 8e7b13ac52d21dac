/*
 * A socket to a Redis, TCP or unix, that never blocks: whoever has nothing to read or no room to write waits here,
 * until a deadline of the monotonic clock. Any thread.
 */
#ifndef TANDEM_CACHE_REDIS_SOCKET_H
#define TANDEM_CACHE_REDIS_SOCKET_H

#include <stdint.h>

#include "base/err.h"

enum { REDIS_HOST_SIZE = 256 };

struct redis_address {
    char host[REDIS_HOST_SIZE];    /* with port 0 the path of a unix socket */
    unsigned port;
};

/** Connects to one of the name's addresses; looking a name up has the system's own limits of time. The descriptor is
 *  the caller's to close. ERR_DEADLINE; ERR_UNAVAILABLE. */
enum err must_check redis_socket_open(const struct redis_address *address, int64_t deadline_ns, int *ret_fd);

/** Until it can be read (POLLIN) or written (POLLOUT), or has failed, as the next call on it tells. ERR_DEADLINE. */
enum err must_check redis_socket_wait(int fd, short events, int64_t deadline_ns);

/** What errno says of a socket: ERR_CLOSED when the other side has closed it, else ERR_UNAVAILABLE. */
enum err must_check redis_socket_err(int error);

#endif
