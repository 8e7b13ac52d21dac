#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "state/db_postgres.h"

/*
 * Batches of several writers are nearly always in each other's way: a serializable transaction that looks something up
 * has read the page of the index, into which another one puts a row. So who had to run a transaction again queues up
 * for the next ones: for a while its writer has a lock from before a transaction begins, when it sees what is there,
 * until after it is over. Without that two writers are a fifth as fast as one; with it, as fast. One that is alone, or
 * has little to do, never meets this.
 */
static enum err take_turn(struct postgres_connection *own)
{
    if (own->queued_for == 0)
        return ERR_NONE;
    own->queued_for--;   /* the lock counts how often it was taken, so it is taken once */
    int64_t start_ns = clock_now_ns();
    enum err err = postgres_send_named(own, "turn", WISH_NOTHING);
    if (!err)
        err = postgres_exchange(own);
    own->has_turn = !err;
    DB_COUNT(own->base.db, turn_ns, (uint64_t)(clock_now_ns() - start_ns));
    return err;
}

/* Without waiting for the answer: it comes with the next one. */
static enum err pass_turn(struct postgres_connection *own)
{
    if (!own->has_turn)
        return ERR_NONE;
    return postgres_send_named(own, "pass", WISH_PASSED);
}

enum err postgres_begin(struct db_connection *connection, enum transaction_kind kind)
{
    struct postgres_connection *own = postgres_connection(connection);
    own->in_transaction = own->is_lost = own->committed = false;
    own->unlimited = kind == TRANSACTION_MIGRATION;
    enum err err = postgres_ensure(own);
    if (!err && kind == TRANSACTION_BATCH)
        err = take_turn(own);
    own->in_transaction = !err;
    if (!err)
        err = postgres_send_named(own, "begin", WISH_NOTHING);
    if (!err && kind == TRANSACTION_MIGRATION)
        err = postgres_script(connection,
                              "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"
                              " SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;"
                              " SELECT pg_advisory_xact_lock(hashtext('tandem migrations ' || current_schema()))");
    return err;
}

static enum err not_committed(struct postgres_connection *own, enum err err)
{
    if (err)
        return err;
    return err_because(ERR_STORAGE, "%s: a statement had failed, and the transaction was undone",
                       own->base.db->path);
}

/*
 * The connection was lost between COMMIT and its answer. It is neither told as done nor run again, but left to whoever
 * asked, who repeats it with the same key. The server could be asked by the transaction's id (pg_xact_status), but not
 * believed: one that has crashed before the commit was on its disk gives the same id to the next transaction, and that
 * one's commit would be taken for this one's.
 */
static enum err in_doubt(struct postgres_connection *own)
{
    own->is_lost = false;
    own->base.must_rerun = false;
    return err_because(ERR_UNAVAILABLE, "%s: the connection was lost during the commit, and whether it came about is"
                                        " not known", own->base.db->path);
}

enum err postgres_commit(struct db_connection *connection)
{
    struct postgres_connection *own = postgres_connection(connection);
    enum err err = postgres_ensure(own);
    if (err)
        return err;
    err = postgres_send_named(own, "commit", WISH_COMMITTED);
    if (!err)
        err = pass_turn(own);
    enum err failure = own->handle ? postgres_exchange(own) : ERR_NONE;
    if (!err)
        err = failure;
    own->in_transaction = false;
    if (own->committed)
        return ERR_NONE;
    if (own->handle)
        return not_committed(own, err);
    return in_doubt(own);
}

static enum err end_transaction(struct postgres_connection *own)
{
    enum err err = ERR_NONE;
    if (PQtransactionStatus(own->handle) != PQTRANS_IDLE)
        err = postgres_send_named(own, "rollback", WISH_NOTHING);
    if (!err)
        err = pass_turn(own);
    if (!err && own->pending_count)
        err = postgres_exchange(own);
    return err;
}

/* A connection that cannot even do that is given up: the server undoes its transaction, and gives its turn away. */
void postgres_roll_back(struct db_connection *connection)
{
    struct postgres_connection *own = postgres_connection(connection);
    bool again = connection->must_rerun;
    if (own->handle && own->pending_count && postgres_exchange(own))
        err_clear();
    if (own->handle && end_transaction(own))
        postgres_drop(own);
    own->in_transaction = own->is_lost = own->unlimited = false;
    connection->must_rerun = again;
}

static enum err run(struct db_connection *connection, const char *name)
{
    struct postgres_connection *own = postgres_connection(connection);
    enum err err = postgres_ensure(own);
    if (!err)
        err = postgres_send_named(own, name, WISH_NOTHING);
    return err || !own->handle ? err : postgres_exchange(own);
}

enum err postgres_savepoint(struct db_connection *connection)
{
    return run(connection, "savepoint");
}

enum err postgres_release(struct db_connection *connection)
{
    return run(connection, "release");
}

enum err postgres_undo(struct db_connection *connection)
{
    return run(connection, "undo");
}

bool postgres_in_transaction(const struct db_connection *connection)
{
    const struct postgres_connection *own = postgres_connection(connection);
    PGTransactionStatusType status = own->handle ? PQtransactionStatus(own->handle) : PQTRANS_UNKNOWN;
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}
