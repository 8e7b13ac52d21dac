/*
 * Where a server listens: the socket it inherits, or one of its own.
 *
 * In this order: sockets passed by systemd (LISTEN_FDS and LISTEN_PID, sd_listen_fds(3)); descriptor 0 when it is a
 * listening socket (spawn-fcgi and web servers that spawn); else the given address, "unix:/run/tandem/user.sock" or
 * "127.0.0.1:9001" or "[::1]:9001". Called once, by the main thread.
 */
#ifndef TANDEM_NET_LISTEN_H
#define TANDEM_NET_LISTEN_H

#include <stdbool.h>

#include "base/err.h"

/* Large, since a full backlog refuses connections under a burst (the kernel cuts it at net.core.somaxconn). */
enum { LISTEN_BACKLOG = 4096 };

struct listen_opts {
    const char *address;     /* used when nothing is inherited; NULL or "" for none */
    unsigned socket_mode;    /* permission bits of a unix socket, 0660 */
};

struct listener {
    int fd;                  /* non-blocking, close-on-exec */
    bool inherited;
    char path[108];          /* of a unix socket made here, removed by listener_close(); else "" */
};

/**
 * ERR_CONFIG when there is nothing to listen on or the address is not of the forms above; ERR_IO with the cause. A
 * unix socket file that nobody answers any more is replaced; one that is in use is ERR_IO "already in use".
 */
enum err must_check listener_open(const struct listen_opts *opts, struct listener *ret);

/** Whether the address is of the forms above, as listener_open() reads it; "" passes, since a socket may be passed.
 *  ERR_CONFIG with a cause. */
enum err must_check listen_check(const char *address);

/** Closes it, and removes the socket file it made. */
void listener_close(struct listener *listener);

#endif
