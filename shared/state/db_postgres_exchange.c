#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "state/db_postgres.h"

enum {
    LOOK_MS = 20,                  /* between looks at whether who waited has given up */
    CANCEL_MS = 1000,              /* for the server to say that it has cancelled */
    ANSWER_SPARE_MS = 20000,       /* beyond statement_timeout; a server that is silent for longer is not there */
};

/* ---- waiting ---- */

static bool is_over(const struct db_connection *connection, int64_t now_ns)
{
    return (connection->given_up && atomic_load_explicit(connection->given_up, memory_order_relaxed))
        || (connection->deadline_ns && now_ns >= connection->deadline_ns);
}

static int64_t silence_limit_ns(const struct postgres_connection *own)
{
    return own->unlimited ? INT64_MAX
                          : clock_now_ns()
                                + (own->base.db->opts.statement_timeout_ms + (int64_t)ANSWER_SPARE_MS) * NS_PER_MS;
}

static void cancel(struct postgres_connection *own)
{
    char said[POSTGRES_CAUSE_SIZE];
    PGcancel *handle = PQgetCancel(own->handle);
    if (handle && !PQcancel(handle, said, sizeof said))
        postgres_drop(own);
    PQfreeCancel(handle);
}

static bool wait_socket(struct postgres_connection *own, short events, int timeout_ms)
{
    struct pollfd poller = {.fd = PQsocket(own->handle), .events = events};
    return poll(&poller, 1, timeout_ms) > 0;
}

static int next_look_ms(const struct db_connection *connection, int64_t now_ns)
{
    if (connection->given_up || !connection->deadline_ns)
        return connection->given_up ? LOOK_MS : 1000;
    int64_t left_ms = (connection->deadline_ns - now_ns) / NS_PER_MS + 1;
    return left_ms < 1000 ? (int)left_ms : 1000;
}

/* Sends what libpq still holds, and takes in what there is. */
static bool move(struct postgres_connection *own, int timeout_ms)
{
    int unsent = PQflush(own->handle);
    if (unsent < 0)
        return false;
    if (wait_socket(own, unsent ? POLLIN | POLLOUT : POLLIN, timeout_ms) && !PQconsumeInput(own->handle))
        return false;
    return PQstatus(own->handle) != CONNECTION_BAD;
}

enum err postgres_wait_result(struct postgres_connection *own)
{
    struct db_connection *connection = &own->base;
    bool is_cancelled = false;
    int64_t silent_until_ns = silence_limit_ns(own);
    if (PQflush(own->handle) < 0)
        return postgres_failed(own, NULL, "send");
    while (PQisBusy(own->handle)) {
        int64_t now_ns = clock_now_ns();
        if (now_ns >= silent_until_ns) {
            postgres_drop(own);
            return postgres_failed(own, NULL, "no answer");
        }
        if (!is_cancelled && is_over(connection, now_ns)) {
            cancel(own);
            is_cancelled = true;
            silent_until_ns = now_ns + CANCEL_MS * NS_PER_MS;
        }
        if (!own->handle || !move(own, is_cancelled ? LOOK_MS : next_look_ms(connection, now_ns)))
            return is_cancelled && !own->handle ? err_because(ERR_DEADLINE, "it took too long")
                                                : postgres_failed(own, NULL, "receive");
    }
    return ERR_NONE;
}

/* ---- sending ---- */

enum err postgres_sent(struct postgres_connection *own, int is_sent, enum postgres_wish wish,
                       struct db_statement *statement)
{
    if (!is_sent)
        return postgres_failed(own, NULL, statement ? statement->sql : "send");
    own->pending[own->pending_count++] = (struct postgres_pending){wish, statement};
    return own->pending_count == POSTGRES_PENDING_MAX - 2 ? postgres_exchange(own) : ERR_NONE;
}

enum err postgres_send_named(struct postgres_connection *own, const char *name, enum postgres_wish wish)
{
    int is_sent = PQsendQueryPrepared(own->handle, name, 0, NULL, NULL, NULL, 0);
    return postgres_sent(own, is_sent, wish, NULL);
}

/* ---- the answers ---- */

static bool is_good(const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return true;
    default:
        return false;
    }
}

static void keep_failure(struct postgres_connection *own, const PGresult *result,
                         const struct postgres_pending *pending)
{
    if (own->failure || PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        return;
    own->failure = postgres_failed(own, result, pending->statement ? pending->statement->sql : "transaction");
}

/* Takes the result over. */
static void deal_with(struct postgres_connection *own, const struct postgres_pending *pending, PGresult *result)
{
    bool good = is_good(result);
    if (!good)
        keep_failure(own, result, pending);
    switch (pending->wish) {
    case WISH_PREPARED:
        postgres_statement_prepared(pending->statement, good);
        break;
    case WISH_RESULT:
        if (good) {
            postgres_statement_result(pending->statement, result);
            return;
        }
        break;
    case WISH_COMMITTED:
        own->committed = good && strcmp(PQcmdStatus(result), "COMMIT") == 0;
        break;
    case WISH_PASSED:
        own->has_turn = !good;
        break;
    case WISH_NOTHING:
        break;
    }
    PQclear(result);
}

/* One answer: a result and the NULL behind it. */
static enum err read_answer(struct postgres_connection *own, const struct postgres_pending *pending)
{
    bool is_first = true;
    for (;;) {
        enum err err = postgres_wait_result(own);
        if (err)
            return err;
        PGresult *result = PQgetResult(own->handle);
        if (!result && !is_first)
            return ERR_NONE;
        if (!result)
            return postgres_failed(own, NULL, "receive");
        if (is_first)
            deal_with(own, pending, result);
        else
            PQclear(result);
        is_first = false;
    }
}

static enum err read_sync(struct postgres_connection *own)
{
    for (;;) {
        enum err err = postgres_wait_result(own);
        if (err)
            return err;
        PGresult *result = PQgetResult(own->handle);
        bool is_sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        PQclear(result);
        if (is_sync)
            return ERR_NONE;
        if (!result && PQstatus(own->handle) == CONNECTION_BAD)
            return postgres_failed(own, NULL, "receive");
    }
}

static enum err read_all(struct postgres_connection *own)
{
    enum err err = PQpipelineSync(own->handle) ? ERR_NONE : postgres_failed(own, NULL, "send");
    for (size_t i = 0; i < own->pending_count && !err; i++)
        err = read_answer(own, &own->pending[i]);
    return err ? err : read_sync(own);
}

enum err postgres_exchange(struct postgres_connection *own)
{
    own->failure = ERR_NONE;
    if (!own->handle)
        return postgres_failed(own, NULL, "send");
    enum err err = read_all(own);
    own->pending_count = 0;
    if (err)
        postgres_drop(own);
    return own->failure ? own->failure : err;
}

/* ---- scripts, by the simple protocol, which is not for pipelines ---- */

static enum err run_script(struct postgres_connection *own, const char *sql)
{
    enum err err = PQsendQuery(own->handle, sql) ? ERR_NONE : postgres_failed(own, NULL, sql);
    enum err failure = ERR_NONE;
    while (!err) {
        err = postgres_wait_result(own);
        PGresult *result = err ? NULL : PQgetResult(own->handle);
        if (!result)
            break;
        if (!is_good(result) && !failure)
            failure = postgres_failed(own, result, sql);
        PQclear(result);
    }
    if (err)
        postgres_drop(own);
    return failure ? failure : err;
}

enum err postgres_script(struct db_connection *connection, const char *sql)
{
    struct postgres_connection *own = postgres_connection(connection);
    enum err err = postgres_ensure(own);
    if (!err && own->pending_count)
        err = postgres_exchange(own);
    if (err)
        return err;
    connection->has_changed = true;
    PQexitPipelineMode(own->handle);
    err = run_script(own, sql);
    if (own->handle)
        PQenterPipelineMode(own->handle);
    return err;
}
