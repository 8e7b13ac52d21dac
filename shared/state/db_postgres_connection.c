#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "conf/secret_file.h"
#include "state/db_postgres.h"

enum {
    PASSWORD_MAX_BYTES = 4096,
    OPTIONS_MAX_BYTES = 8192,
    PAUSE_FIRST_MS = 50,           /* before the next try to reach a server that was away … */
    PAUSE_MAX_MS = 1000,
    AWAIT_PAUSE_MS = 100,
    REPLICA_AWAY_MS = 5000,        /* for so long the primary answers for it */
    LEASE_SILENCE_S = 1,           /* the server asks who holds leases, and lets go of one that is silent three times */
};

/* ---- the gate: who knocks at a server that is away ---- */

/* One tries for all: the others are refused for as long as that takes. */
static enum err pass_gate(struct postgres_gate *gate, const struct db *db)
{
    pthread_mutex_lock(&gate->lock);
    enum err err = ERR_NONE;
    int64_t now_ns = clock_now_ns();
    if (gate->failures && now_ns < gate->next_try_ns)
        err = err_because(ERR_UNAVAILABLE, "%s is away: %s", db->path, gate->cause);
    else if (gate->failures)
        gate->next_try_ns = now_ns + db->opts.connect_timeout_ms * NS_PER_MS;
    pthread_mutex_unlock(&gate->lock);
    return err;
}

static void tell(struct db *db, bool is_away, const char *cause)
{
    if (db->opts.noticed)
        db->opts.noticed(db->opts.noticed_context, is_away, cause);
}

static void note_failure(struct postgres_gate *gate, struct db *db)
{
    pthread_mutex_lock(&gate->lock);
    unsigned pause_ms = PAUSE_FIRST_MS << (gate->failures < 5 ? gate->failures : 5);
    if (pause_ms > PAUSE_MAX_MS)
        pause_ms = PAUSE_MAX_MS;
    bool is_news = gate->failures++ == 0;
    metric_set(gate->away, 1);
    gate->next_try_ns = clock_now_ns() + (pause_ms / 2 + random_below(pause_ms)) * NS_PER_MS;
    snprintf(gate->cause, sizeof gate->cause, "%s", err_cause());
    pthread_mutex_unlock(&gate->lock);
    if (is_news)
        tell(db, true, gate->cause);
}

static void note_success(struct postgres_gate *gate, struct db *db)
{
    pthread_mutex_lock(&gate->lock);
    bool is_news = gate->failures > 0;
    gate->failures = 0;
    metric_set(gate->away, 0);
    pthread_mutex_unlock(&gate->lock);
    if (is_news)
        tell(db, false, "");
}

/* ---- connecting ---- */

/* One line, for its owner's eyes. */
static enum err read_password(const char *path, struct buf *out)
{
    enum err err = secret_file_read(path, out);
    if (err)
        return err_because(ERR_CONFIG, "db.password_file: %s", err_cause());
    while (out->length > 0 && strchr("\r\n", out->data[out->length - 1]))
        out->length--;
    return out->length ? ERR_NONE : err_because(ERR_CONFIG, "db.password_file: %s is empty", path);
}

static const char *of_kind(enum connection_kind kind)
{
    switch (kind) {
    case CONNECTION_WRITER:
        return "-c default_transaction_isolation=serializable";
    default:
        return "-c default_transaction_read_only=on";
    }
}

static const char *given_options(const struct postgres_target *target)
{
    for (size_t i = 0; i < target->count; i++)
        if (strcmp(target->keywords[i], "options") == 0)
            return target->values[i];
    return "";
}

/* Those of the URL come last, and so win. */
static void add_options(const struct postgres_connection *own, const struct postgres_target *target, struct buf *out)
{
    const struct db_opts *opts = &own->base.db->opts;
    buf_addf(out, "%s -c lock_timeout=%u -c statement_timeout=%u -c idle_in_transaction_session_timeout=60000"
                  " -c client_connection_check_interval=2000 -c tcp_keepalives_idle=%d -c tcp_keepalives_interval=%d"
                  " -c tcp_keepalives_count=3 %s",
             of_kind(own->base.kind), opts->busy_timeout_ms, opts->statement_timeout_ms, LEASE_SILENCE_S,
             LEASE_SILENCE_S, given_options(target));
}

static PGconn *begin_connecting(const struct postgres_target *target, const char *options, const char *password)
{
    const char *keywords[POSTGRES_KEYWORDS + 2], *values[POSTGRES_KEYWORDS + 2];
    size_t count = 0;
    for (size_t i = 0; i < target->count; i++) {
        if (strcmp(target->keywords[i], "options") == 0)
            continue;
        keywords[count] = target->keywords[i];
        values[count++] = target->values[i];
    }
    keywords[count] = "options";
    values[count++] = options;
    if (password) {
        keywords[count] = "password";
        values[count++] = password;
    }
    keywords[count] = values[count] = NULL;
    return PQconnectStartParams(keywords, values, 0);
}

static bool wait_connected(PGconn *handle, unsigned timeout_ms)
{
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
        int64_t left_ms = (until_ns - clock_now_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            return false;
        struct pollfd poller = {PQsocket(handle), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
        if (poll(&poller, 1, (int)left_ms) > 0)
            next = PQconnectPoll(handle);
    }
    return next == PGRES_POLLING_OK;
}

/* Who is refused for what he says is refused again. */
static enum err connect_failed(const struct postgres_connection *own, PGconn *handle, const char *said)
{
    char line[POSTGRES_CAUSE_SIZE];
    bool is_refused = PQconnectionNeedsPassword(handle) || strstr(said, "authentication failed")
                   || strstr(said, "does not exist");
    connection_said((struct text){said, strcspn(said, "\n")}, line, sizeof line);
    return err_because(is_refused ? ERR_CONFIG : ERR_UNAVAILABLE, "%s: %s", own->base.db->path,
                       *line ? line : "the server did not answer in time");
}

static enum err check_version(const struct postgres_connection *own, const PGconn *handle)
{
    int version = PQserverVersion(handle);
    if (version >= POSTGRES_VERSION_MIN)
        return ERR_NONE;
    return err_because(ERR_CONFIG, "%s: the server's version is %d.%d, and has to be %d or later", own->base.db->path,
                       version / 10000, version % 10000, POSTGRES_VERSION_MIN / 10000);
}

/* Prepared once, since they are run with every transaction. */
static enum err prepare_own(struct postgres_connection *own)
{
    static const struct {
        const char *name, *sql;
    } rows[] = {
        {"begin", "BEGIN"},
        {"commit", "COMMIT"},
        {"rollback", "ROLLBACK"},
        {"savepoint", "SAVEPOINT job"},
        {"release", "RELEASE job"},
        {"undo", "ROLLBACK TO job"},
        {"turn", "SELECT pg_advisory_lock(hashtext('tandem writers ' || current_schema()))"},
        {"pass", "SELECT pg_advisory_unlock(hashtext('tandem writers ' || current_schema()))"},
    };
    enum err err = ERR_NONE;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !err; i++)
        err = postgres_sent(own, PQsendPrepare(own->handle, rows[i].name, rows[i].sql, 0, NULL), WISH_NOTHING, NULL);
    return err ? err : postgres_exchange(own);
}

/* "already exists, skipping", which libpq would print. */
static void be_silent(void *context, const PGresult *result)
{
    (void)context, (void)result;
}

static enum err set_up(struct postgres_connection *own)
{
    enum err err = check_version(own, own->handle);
    if (err)
        return err;
    PQsetNoticeReceiver(own->handle, be_silent, NULL);
    own->generation++;
    own->pending_count = 0;
    PQsetnonblocking(own->handle, 1);
    PQenterPipelineMode(own->handle);
    return own->base.kind == CONNECTION_WRITER ? prepare_own(own) : ERR_NONE;
}

static enum err connect_to(struct postgres_connection *own, const struct postgres_target *target)
{
    struct buf options, password;
    buf_init(&options, OPTIONS_MAX_BYTES);
    buf_init(&password, PASSWORD_MAX_BYTES);
    add_options(own, target, &options);
    enum err err = target->password_file ? read_password(target->password_file, &password) : ERR_NONE;
    if (!err)
        err = buf_check(&options);
    PGconn *handle = NULL;
    if (!err) {
        handle = begin_connecting(target, buf_string(&options), target->password_file ? buf_string(&password) : NULL);
        if (!handle || PQstatus(handle) == CONNECTION_BAD
            || !wait_connected(handle, own->base.db->opts.connect_timeout_ms))
            err = connect_failed(own, handle, handle ? PQerrorMessage(handle) : "out of memory");
    }
    if (password.data)
        sodium_memzero(password.data, password.capacity);
    buf_fini(&password);
    buf_fini(&options);
    if (err) {
        PQfinish(handle);
        return err;
    }
    own->handle = handle;
    metric_add(own->base.db->metrics.connections, 1);
    err = set_up(own);
    if (err)
        postgres_drop(own);
    return err;
}

static enum err connect_through(struct postgres_connection *own, const struct postgres_target *target,
                                struct postgres_gate *gate)
{
    struct db *db = own->base.db;
    enum err err = pass_gate(gate, db);
    if (err)
        return err;
    bool is_again = own->generation > 0;
    err = connect_to(own, target);
    if (err)
        note_failure(gate, db);
    else
        note_success(gate, db);
    if (!err && is_again)
        DB_COUNT(db, reconnects, 1);
    return err;
}

/* ---- being connected ---- */

static bool wants_replica(const struct postgres_connection *own)
{
    return own->base.kind == CONNECTION_STALE_READER && postgres_database(own->base.db)->replica.name;
}

static bool is_connected(struct postgres_connection *own)
{
    if (!own->handle || PQstatus(own->handle) == CONNECTION_BAD)
        return false;
    if (wants_replica(own) && !own->is_replica && clock_now_ns() >= own->replica_again_ns)
        postgres_drop(own);   /* which was the primary's */
    return own->handle != NULL;
}

enum err postgres_ensure(struct postgres_connection *own)
{
    struct postgres_database *database = postgres_database(own->base.db);
    if (is_connected(own))
        return ERR_NONE;
    if (own->is_lost || own->in_transaction)
        return err_because(ERR_UNAVAILABLE, "%s: the connection was lost in a transaction", own->base.db->path);
    postgres_drop(own);
    if (wants_replica(own) && clock_now_ns() >= own->replica_again_ns) {
        own->is_replica = connect_through(own, &database->replica, &database->replica_gate) == ERR_NONE;
        if (own->is_replica)
            return ERR_NONE;
        own->replica_again_ns = clock_now_ns() + REPLICA_AWAY_MS * NS_PER_MS;
    }
    return connect_through(own, &database->primary, &database->gate);
}

enum err postgres_await(struct postgres_connection *own, unsigned timeout_ms)
{
    const struct timespec pause = {.tv_nsec = AWAIT_PAUSE_MS * NS_PER_MS};
    struct postgres_database *database = postgres_database(own->base.db);
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    for (;;) {
        enum err err = connect_to(own, &database->primary);
        if (err != ERR_UNAVAILABLE || clock_now_ns() >= until_ns)
            return err;
        nanosleep(&pause, NULL);
    }
}

void postgres_drop(struct postgres_connection *own)
{
    if (own->handle && own->base.kind == CONNECTION_WRITER && PQtransactionStatus(own->handle) != PQTRANS_IDLE)
        own->is_lost = true;
    if (own->handle)
        metric_add(own->base.db->metrics.connections, -1);
    PQfinish(own->handle);
    own->handle = NULL;
    own->pending_count = 0;
    own->is_replica = own->has_turn = false;
}
