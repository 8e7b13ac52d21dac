#include "config.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cache/redis_socket.h"
#include "cache/redis_tls.h"
#include "conf/secret_file.h"

struct redis_tls {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    bool has_read;             /* the server has said something after the handshake */
};

enum err redis_tls_built(void)
{
    return ERR_NONE;
}

/* ---- what a connection needs of files ---- */

/* OpenSSL's word for what this thread's last call met. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "no reason is given";
}

/* A service has nobody to be asked for a passphrase. */
static int no_passphrase(char *storage, int size, int is_to_encrypt, void *context)
{
    (void)storage, (void)size, (void)is_to_encrypt, (void)context;
    return -1;
}

static enum err trust(SSL_CTX *context, const char *ca_file)
{
    if (!*ca_file)
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? ERR_NONE
                   : err_because(ERR_CONFIG, "whom the system trusts cannot be read: %s", reason());
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
        return err_because(ERR_CONFIG, "cache.redis_ca_file: %s has no certificates that can be read: %s", ca_file,
                           reason());
    return ERR_NONE;
}

static enum err show(SSL_CTX *context, const struct redis_tls_opts *opts)
{
    if (!*opts->certificate_file && !*opts->key_file)
        return ERR_NONE;
    if (!*opts->certificate_file || !*opts->key_file)
        return err_because(ERR_CONFIG, "of cache.redis_certificate_file and cache.redis_key_file one is not set");
    if (secret_file_check_path(opts->key_file))
        return err_because(ERR_CONFIG, "cache.redis_key_file: %s", err_cause());
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, opts->certificate_file) != 1)
        return err_because(ERR_CONFIG, "cache.redis_certificate_file: %s has no certificate that can be read: %s",
                           opts->certificate_file, reason());
    if (SSL_CTX_use_PrivateKey_file(context, opts->key_file, SSL_FILETYPE_PEM) != 1)
        return err_because(ERR_CONFIG, "cache.redis_key_file: %s has no key, or not that of %s: %s", opts->key_file,
                           opts->certificate_file, reason());
    return ERR_NONE;
}

static enum err make_context(const struct redis_tls_opts *opts, SSL_CTX **ret)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return err_because(ERR_MEMORY, "no memory for TLS: %s", reason());
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(context, 1);   /* a record by one read() */
    enum err err = trust(context, opts->ca_file);
    if (!err)
        err = show(context, opts);
    if (err)
        SSL_CTX_free(context);
    else
        *ret = context;
    return err;
}

enum err redis_tls_check(const struct redis_tls_opts *opts)
{
    SSL_CTX *context;
    enum err err = make_context(opts, &context);
    if (!err)
        SSL_CTX_free(context);
    return err;
}

/* ---- going on, or not ---- */

/* What is wrong with the server's certificate, if that is what is wrong. */
static enum err blame(const struct redis_tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    if (verified != X509_V_OK)
        return err_because(ERR_UNAVAILABLE, "the server's certificate is refused: %s",
                           X509_verify_cert_error_string(verified));
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_WRONG_VERSION_NUMBER)
        return err_because(ERR_UNAVAILABLE, "the server does not speak TLS, or no version of it that is spoken here");
    return err_because(ERR_UNAVAILABLE, "TLS: %s", reason());
}

static bool is_cut_off(void)
{
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
    return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
#else
    return false;
#endif
}

/* Of TLS 1.3 the handshake is over for the client before the server has looked at its certificate. What the server says
 * of that is lost as a rule, since it closes the connection with something unread. */
static enum err closed(const struct redis_tls *tls)
{
    if (tls->has_read)
        return redis_socket_err(EPIPE);
    return err_because(ERR_CLOSED, "the server has closed the connection without an answer; it may want another"
                                   " certificate, or one at all (cache.redis_certificate_file)");
}

/* After a call that was not done: waits for what it wants, so that it can be made again, or says what is wrong. Replies
 * say how long they are, so an end without a goodbye is an end as any other. */
static enum err go_on(const struct redis_tls *tls, int result, int64_t deadline_ns)
{
    int error = errno;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return redis_socket_wait(tls->fd, POLLIN, deadline_ns);
    case SSL_ERROR_WANT_WRITE:
        return redis_socket_wait(tls->fd, POLLOUT, deadline_ns);
    case SSL_ERROR_ZERO_RETURN:
        return closed(tls);
    case SSL_ERROR_SYSCALL:
        return error == 0 || error == EPIPE || error == ECONNRESET ? closed(tls) : redis_socket_err(error);
    default:
        return is_cut_off() ? closed(tls) : blame(tls);
    }
}

/* ---- life ---- */

/* The certificate has to be for an address if that is what the server was called by, else for the name. */
static bool expect(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static enum err shake_hands(const struct redis_tls *tls, int64_t deadline_ns)
{
    enum err err = ERR_NONE;
    while (!err) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_connect(tls->ssl);
        if (result == 1)
            return ERR_NONE;
        err = go_on(tls, result, deadline_ns);
    }
    if (err == ERR_DEADLINE)
        return err_because(err, "the handshake of TLS was not over in time; the server may not speak TLS");
    if (err == ERR_CLOSED)
        return err_because(err, "the server has closed the connection in the handshake; it may not speak TLS");
    return err;
}

enum err redis_tls_open(const struct redis_tls_opts *opts, int fd, const char *host, int64_t deadline_ns,
                        struct redis_tls **ret)
{
    struct redis_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return err_because(ERR_MEMORY, "no memory for TLS");
    tls->fd = fd;
    enum err err = make_context(opts, &tls->context);
    if (!err)
        tls->ssl = SSL_new(tls->context);
    if (!err && (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1 || !expect(tls->ssl, host)))
        err = err_because(ERR_UNAVAILABLE, "TLS cannot begin: %s", reason());
    if (!err)
        err = shake_hands(tls, deadline_ns);
    if (err)
        redis_tls_close(tls);
    else
        *ret = tls;
    return err;
}

void redis_tls_close(struct redis_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    free(tls);
}

/* ---- bytes ---- */

enum err redis_tls_write(struct redis_tls *tls, struct text bytes, int64_t deadline_ns)
{
    size_t written;
    enum err err = ERR_NONE;
    while (!err) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_write_ex(tls->ssl, bytes.at, bytes.length, &written);
        if (result == 1)   /* all of it, as OpenSSL does unless told otherwise */
            return ERR_NONE;
        err = go_on(tls, result, deadline_ns);
    }
    return err;
}

enum err redis_tls_read(struct redis_tls *tls, void *storage, size_t capacity, int64_t deadline_ns,
                        size_t *ret_length)
{
    enum err err = SSL_has_pending(tls->ssl) ? ERR_NONE : redis_socket_wait(tls->fd, POLLIN, deadline_ns);
    while (!err) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_read_ex(tls->ssl, storage, capacity, ret_length);
        tls->has_read |= result == 1;
        if (result == 1)
            return ERR_NONE;
        err = go_on(tls, result, deadline_ns);
    }
    return err;
}
