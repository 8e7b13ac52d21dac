#include "config.h"

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "conf/secret_file.h"
#include "events/backoff.h"
#include "events/bus_amqp_link.h"
#include "telemetry/metric.h"

enum {
    FRAME_BYTES = 128 * 1024, CHANNELS = 2, PASSWORD_BYTES = 4096,
    RETRY_FIRST_MS = 100, RETRY_MAX_MS = 2000,
    REPLY_ACCESS_REFUSED = 403, REPLY_NOT_FOUND = 404, REPLY_LOCKED = 405, REPLY_PRECONDITION = 406,
    REPLY_NOT_ALLOWED = 530,
};

/* Where Debian keeps what the system trusts; the library knows of no default. */
static const char system_ca_file[] = "/etc/ssl/certs/ca-certificates.crt";

static struct timeval time_of(unsigned ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* ---- life ---- */

void bus_amqp_link_init(struct bus_amqp_link *link, const struct bus_amqp_settings *settings, const char *purpose)
{
    *link = (struct bus_amqp_link){.settings = settings, .purpose = purpose};
    pthread_mutex_init(&link->lock, NULL);
}

void bus_amqp_link_fini(struct bus_amqp_link *link)
{
    bus_amqp_link_close(link, true);
    pthread_mutex_destroy(&link->lock);
}

void bus_amqp_link_close(struct bus_amqp_link *link, bool tells)
{
    if (!link->connection)
        return;
    if (tells && !link->is_blocked)   /* a broker that reads nothing would not answer */
        amqp_connection_close(link->connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(link->connection);
    link->connection = NULL;
    link->is_blocked = false;
}

unsigned bus_amqp_link_wait_ms(const struct bus_amqp_link *link)
{
    int64_t left_ms = link->failures ? (link->next_try_ns - clock_now_ns() + NS_PER_MS - 1) / NS_PER_MS : 0;
    return left_ms > 0 ? (unsigned)left_ms : 0;
}

/* ---- what came of it ---- */

static enum err err_of_code(uint16_t code)
{
    switch (code) {
    case REPLY_ACCESS_REFUSED:
    case REPLY_PRECONDITION:
    case REPLY_NOT_ALLOWED:
        return ERR_CONFIG;
    case REPLY_NOT_FOUND:
        return ERR_NOT_FOUND;
    case REPLY_LOCKED:
        return ERR_BUSY;
    default:
        return ERR_UNAVAILABLE;
    }
}

enum err bus_amqp_link_status(struct bus_amqp_link *link, const char *what, int status)
{
    if (status == AMQP_STATUS_OK)
        return ERR_NONE;
    bus_amqp_link_close(link, false);
    return err_because(ERR_UNAVAILABLE, "%s: %s", what, amqp_error_string2(status));
}

/* The broker has closed the connection; or the channel, which is opened again when it is the one for questions. */
static enum err heed_close(struct bus_amqp_link *link, const char *what, amqp_channel_t channel,
                           const amqp_method_t *method)
{
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = method->decoded;
        enum err err = err_because(err_of_code(close->reply_code), "%s: %.*s", what,
                                   TEXT_ARGS(bus_amqp_text(close->reply_text)));
        int status = amqp_send_method(link->connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD,
                                      &(amqp_channel_close_ok_t){0});
        if (status != AMQP_STATUS_OK || channel == BUS_AMQP_CHANNEL || !amqp_channel_open(link->connection, channel))
            bus_amqp_link_close(link, false);
        return err;
    }
    const amqp_connection_close_t *close = method->decoded;
    enum err err = err_of_code(close->reply_code);
    err = err_because(err == ERR_CONFIG ? err : ERR_UNAVAILABLE, "%s: %.*s", what,
                      TEXT_ARGS(bus_amqp_text(close->reply_text)));
    bus_amqp_link_close(link, false);
    return err;
}

static enum err judge(struct bus_amqp_link *link, amqp_channel_t channel, const char *what, amqp_rpc_reply_t reply)
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return ERR_NONE;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.decoded
        && (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD || reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD))
        return heed_close(link, what, channel, &reply.reply);
    return bus_amqp_link_status(link, what, reply.library_error ? reply.library_error : AMQP_STATUS_CONNECTION_CLOSED);
}

enum err bus_amqp_link_reply(struct bus_amqp_link *link, amqp_channel_t channel, const char *what)
{
    if (!link->connection)
        return err_because(ERR_UNAVAILABLE, "%s: there is no connection", what);
    return judge(link, channel, what, amqp_get_rpc_reply(link->connection));
}

/* ---- opening ---- */

static enum err tls_socket(const struct bus_opts *opts, amqp_connection_state_t connection, amqp_socket_t **ret)
{
    const char *ca_file = *opts->tls_ca_file ? opts->tls_ca_file : system_ca_file;
    amqp_socket_t *socket = amqp_ssl_socket_new(connection);
    if (!socket)
        return err_because(ERR_MEMORY, "no memory for a TLS connection");
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    if (amqp_ssl_socket_set_cacert(socket, ca_file) != AMQP_STATUS_OK)
        return err_because(ERR_CONFIG, "bus.tls_ca_file: %s has no certificates that can be read", ca_file);
    if (*opts->tls_cert_file
        && amqp_ssl_socket_set_key(socket, opts->tls_cert_file, opts->tls_key_file) != AMQP_STATUS_OK)
        return err_because(ERR_CONFIG, "bus.tls_cert_file, bus.tls_key_file: %s and %s are no certificate and its key",
                           opts->tls_cert_file, opts->tls_key_file);
    *ret = socket;
    return ERR_NONE;
}

/* A peer that has gone without a word is found out by who writes, and by who only reads. */
static void bound_socket(const struct bus_opts *opts, int fd)
{
    enum { IDLE_S = 15, EVERY_S = 5, TIMES = 3 };
    const int on = 1, idle_s = IDLE_S, every_s = EVERY_S, times = TIMES;
    const unsigned unsent_ms = opts->publish_timeout_ms;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent_ms, sizeof unsent_ms);
}

static enum err connect_to(struct bus_amqp_link *link, const struct bus_amqp_host *host, const char *what)
{
    const struct bus_opts *opts = &link->settings->opts;
    struct timeval timeout = time_of(opts->connect_timeout_ms), answer = time_of(BUS_AMQP_ANSWER_MS);
    amqp_socket_t *socket = NULL;
    enum err err = ERR_NONE;
    link->connection = amqp_new_connection();
    if (!link->connection)
        return err_because(ERR_MEMORY, "no memory for a connection");
    if (link->settings->is_tls)
        err = tls_socket(opts, link->connection, &socket);
    else if (!(socket = amqp_tcp_socket_new(link->connection)))
        err = err_because(ERR_MEMORY, "no memory for a connection");
    if (err)
        return err;
    amqp_set_handshake_timeout(link->connection, &timeout);
    amqp_set_rpc_timeout(link->connection, &answer);
    err = bus_amqp_link_status(link, what, amqp_socket_open_noblock(socket, host->name, host->port, &timeout));
    if (!err)
        bound_socket(opts, amqp_get_sockfd(link->connection));
    return err;
}

/* The file's first line; without a file it is that of the broker's own first user. */
static enum err read_password(const struct bus_opts *opts, struct buf *out)
{
    if (!*opts->password_file) {
        buf_add_string(out, "guest");
        return buf_check(out);
    }
    enum err err = secret_file_read(opts->password_file, out);
    if (!err) {
        struct text rest = buf_text(out);
        out->length = text_split(&rest, '\n').length;
    }
    return err;
}

static amqp_table_entry_t entry(const char *key, amqp_field_value_t value)
{
    return (amqp_table_entry_t){amqp_cstring_bytes(key), value};
}

static enum err log_in(struct bus_amqp_link *link, const char *what)
{
    const struct bus_opts *opts = &link->settings->opts;
    const amqp_field_value_t yes = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1};
    amqp_table_entry_t capable[] = {entry("connection.blocked", yes), entry("consumer_cancel_notify", yes),
                                    entry("publisher_confirms", yes), entry("basic.nack", yes)};
    const amqp_table_t capabilities = {sizeof capable / sizeof capable[0], capable};
    char name[128];
    snprintf(name, sizeof name, "%s %s", opts->prefix, link->purpose);
    const amqp_table_entry_t told[] = {
        entry("connection_name", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_UTF8,
                                                      .value.bytes = amqp_cstring_bytes(name)}),
        entry("capabilities", (amqp_field_value_t){.kind = AMQP_FIELD_KIND_TABLE, .value.table = capabilities}),
    };
    const amqp_table_t properties = {sizeof told / sizeof told[0], (amqp_table_entry_t *)(uintptr_t)told};
    struct buf password;
    buf_init(&password, PASSWORD_BYTES);
    enum err err = read_password(opts, &password);
    if (!err)
        err = judge(link, 0, what, amqp_login_with_properties(link->connection, link->settings->vhost, CHANNELS,
                                                              FRAME_BYTES, (int)opts->heartbeat_s, &properties,
                                                              AMQP_SASL_METHOD_PLAIN, link->settings->user,
                                                              buf_string(&password)));
    if (password.data)
        explicit_bzero(password.data, password.capacity);
    buf_fini(&password);
    for (amqp_channel_t channel = BUS_AMQP_CHANNEL; !err && channel <= BUS_AMQP_QUESTIONS; channel++) {
        amqp_channel_open(link->connection, channel);
        err = bus_amqp_link_reply(link, channel, what);
    }
    return err;
}

static enum err try_host(struct bus_amqp_link *link, const struct bus_amqp_host *host)
{
    char what[300];
    snprintf(what, sizeof what, "connect to %s:%d", host->name, host->port);
    enum err err = connect_to(link, host, what);
    if (!err)
        err = log_in(link, what);
    if (err)
        bus_amqp_link_close(link, false);
    return err;
}

enum err bus_amqp_link_open(struct bus_amqp_link *link)
{
    enum err err = ERR_NONE;
    if (link->connection)
        return ERR_NONE;
    for (unsigned i = 0; i < link->settings->host_count; i++) {
        err = try_host(link, &link->settings->hosts[link->host]);
        if (!err) {
            if (link->was_open)
                metric_add(metric_series(METRIC_BUS_RECONNECTS), 1);
            link->was_open = true;
            link->failures = 0;
            return ERR_NONE;
        }
        if (err != ERR_UNAVAILABLE)   /* the others would say the same */
            break;
        link->host = (link->host + 1) % link->settings->host_count;
    }
    link->next_try_ns = clock_now_ns() + backoff_ms(++link->failures, RETRY_FIRST_MS, RETRY_MAX_MS) * NS_PER_MS;
    return err;
}

/* ---- reading ---- */

enum err bus_amqp_link_beat(struct bus_amqp_link *link)
{
    const amqp_frame_t beat = {.frame_type = AMQP_FRAME_HEARTBEAT, .channel = 0};
    if (link->settings->opts.heartbeat_s == 0)
        return ERR_NONE;
    return bus_amqp_link_status(link, "a heartbeat", amqp_send_frame(link->connection, &beat));
}

enum err bus_amqp_link_heed(struct bus_amqp_link *link, const amqp_frame_t *frame, bool *ret_is_other)
{
    *ret_is_other = false;
    if (frame->frame_type != AMQP_FRAME_METHOD) {
        *ret_is_other = true;
        return ERR_NONE;
    }
    const amqp_method_t *method = &frame->payload.method;
    switch (method->id) {
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *blocked = method->decoded;
        snprintf(link->blocked_because, sizeof link->blocked_because, "%.*s",
                 TEXT_ARGS(bus_amqp_text(blocked->reason)));
        link->is_blocked = true;
        return ERR_NONE;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        link->is_blocked = false;
        return ERR_NONE;
    case AMQP_CONNECTION_CLOSE_METHOD:
    case AMQP_CHANNEL_CLOSE_METHOD:
        return heed_close(link, "the broker has closed it", frame->channel, method);
    default:
        *ret_is_other = true;
        return ERR_NONE;
    }
}

enum err bus_amqp_link_frame(struct bus_amqp_link *link, unsigned timeout_ms, amqp_frame_t *ret, bool *ret_has)
{
    const struct timeval timeout = time_of(timeout_ms);
    *ret_has = false;
    for (;;) {
        bool is_other;
        int status = amqp_simple_wait_frame_noblock(link->connection, ret, &timeout);
        if (status == AMQP_STATUS_TIMEOUT)
            return ERR_NONE;
        enum err err = bus_amqp_link_status(link, "the connection to the broker", status);
        if (!err)
            err = bus_amqp_link_heed(link, ret, &is_other);
        if (err)
            return err;
        if (is_other) {
            *ret_has = true;
            return ERR_NONE;
        }
    }
}
