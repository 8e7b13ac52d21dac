/* A build without OpenSSL: who asks for TLS is told why there is none. */
#include "config.h"

#include <stdlib.h>

#include "cache/redis_tls.h"

enum err redis_tls_built(void)
{
    return err_because(ERR_CONFIG, "cache.redis_url asks for TLS, and this build has no OpenSSL: configure it"
                                   " --with-openssl (Debian: libssl-dev)");
}

enum err redis_tls_check(const struct redis_tls_opts *opts)
{
    (void)opts;
    return redis_tls_built();
}

/* There is none to call the following with. */

enum err redis_tls_open(const struct redis_tls_opts *opts, int fd, const char *host, int64_t deadline_ns,
                        struct redis_tls **ret)
{
    (void)opts, (void)fd, (void)host, (void)deadline_ns, (void)ret;
    abort();
}

void redis_tls_close(struct redis_tls *tls)
{
    (void)tls;
}

enum err redis_tls_write(struct redis_tls *tls, struct text bytes, int64_t deadline_ns)
{
    (void)tls, (void)bytes, (void)deadline_ns;
    abort();
}

enum err redis_tls_read(struct redis_tls *tls, void *storage, size_t capacity, int64_t deadline_ns,
                        size_t *ret_length)
{
    (void)tls, (void)storage, (void)capacity, (void)deadline_ns, (void)ret_length;
    abort();
}
