/*
 * TLS over a socket to a Redis, by OpenSSL: 1.2 or later, with the server's certificate verified, and that it is for
 * the host that was asked for, which is also named in the handshake when it is no address. Built where OpenSSL is;
 * elsewhere redis_tls_built() and redis_tls_check() say what is missing, and nobody calls the others.
 *
 * The socket is one of cache/redis_socket.h and stays the caller's. It is written to as any other, so the program has
 * SIGPIPE ignored, as service_main() does. Any thread; a connection by one at a time.
 */
#ifndef TANDEM_CACHE_REDIS_TLS_H
#define TANDEM_CACHE_REDIS_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct redis_tls_opts {
    const char *ca_file;                       /* who may have signed the server's; "": whom the system trusts */
    const char *certificate_file, *key_file;   /* to be shown to the server; "": none */
};

struct redis_tls;

/** ERR_CONFIG in a build without it. */
enum err must_check redis_tls_built(void);

/** Reads the files, as each connection does. ERR_CONFIG with a cause that names the setting. */
enum err must_check redis_tls_check(const struct redis_tls_opts *opts);

/** Shakes hands. The files are read anew, so that they can be renewed. ERR_DEADLINE; ERR_UNAVAILABLE with a cause that
 *  says what is wrong with a certificate. */
enum err must_check redis_tls_open(const struct redis_tls_opts *opts, int fd, const char *host, int64_t deadline_ns,
                                   struct redis_tls **ret);

/** NULL is fine. */
void redis_tls_close(struct redis_tls *tls);

/** Writes it all. ERR_CLOSED: the other side has closed the connection. ERR_DEADLINE; ERR_UNAVAILABLE. */
enum err must_check redis_tls_write(struct redis_tls *tls, struct text bytes, int64_t deadline_ns);

/** Reads what is there, once something is. Errors as above. */
enum err must_check redis_tls_read(struct redis_tls *tls, void *storage, size_t capacity, int64_t deadline_ns,
                                   size_t *ret_length);

#endif
