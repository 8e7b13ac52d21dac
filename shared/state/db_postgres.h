/*
 * PostgreSQL's part of the database, over libpq; for db_postgres*.c only.
 *
 * db_postgres.c is the engine and its database, db_postgres_target.c makes a URL into what libpq connects by,
 * db_postgres_connection.c connects, once more when the server was away, db_postgres_exchange.c sends and waits,
 * db_postgres_statement.c runs statements, db_postgres_transaction.c begins and commits, db_postgres_error.c says what
 * the server's errors mean, db_postgres_lease.c is what one process at a time does, db_postgres_replica.c asks how far
 * a replica is behind.
 *
 * Every connection is in libpq's pipeline mode: what is sent goes into a list, and an exchange() sends a sync behind it
 * and reads all the answers. Between the two the server works, and the lane does too.
 */
#ifndef TANDEM_STATE_DB_POSTGRES_H
#define TANDEM_STATE_DB_POSTGRES_H

#include <libpq-fe.h>

#include "state/db_private.h"

enum {
    POSTGRES_PENDING_MAX = 256,        /* statements sent and not read; so many answers fit into a socket's buffer */
    POSTGRES_KEYWORDS = 64,            /* of libpq's connection parameters */
    POSTGRES_NAME_SIZE = 24,
    POSTGRES_CAUSE_SIZE = 256,
    POSTGRES_VERSION_MIN = 140000,
    POSTGRES_TURNS = 64,
};

/* ---- where ---- */

/* The parameters that libpq connects by, with a NULL at the end. */
struct postgres_target {
    PQconninfoOption *given;           /* owns the strings of the URL */
    const char *keywords[POSTGRES_KEYWORDS], *values[POSTGRES_KEYWORDS];
    size_t count;
    char *name;                        /* for messages, without secrets */
    char *password_file;               /* NULL: there is none */
};

/** ERR_CONFIG with a cause for what is no URL of PostgreSQL, or holds a password. */
enum err must_check postgres_target_init(struct postgres_target *target, const char *url, const char *password_file);
void postgres_target_fini(struct postgres_target *target);

/* When a server that was away is asked again: one for all connections to it. */
struct postgres_gate {
    pthread_mutex_t lock;
    unsigned failures;
    int64_t next_try_ns;
    char cause[POSTGRES_CAUSE_SIZE];
    struct metric_series away;
};

struct postgres_database {
    struct db base;
    struct postgres_target primary, replica;   /* replica.name NULL: there is none */
    struct postgres_gate gate, replica_gate;
    pthread_mutex_t lease_lock;
    struct db_connection *lease;       /* made when it is needed first */
    uint64_t leases, leases_of;        /* those held, a bit each, and over which of lease's connections */
    int64_t leases_seen_ns;            /* when they were known to be held */
    pthread_mutex_t replica_lock;
    struct db_connection *replica_asker;   /* made when it is needed first */
};

/* ---- a connection ---- */

enum postgres_wish {
    WISH_NOTHING,                      /* that it succeeds */
    WISH_PREPARED,
    WISH_RESULT,                       /* the statement's rows */
    WISH_COMMITTED,
    WISH_PASSED,                       /* that the turn is another one's */
};

/* What was sent, and what for. */
struct postgres_pending {
    enum postgres_wish wish;
    struct db_statement *statement;
};

struct postgres_connection {
    struct db_connection base;
    PGconn *handle;                    /* NULL: not connected */
    uint64_t generation;               /* counts its connections; what was prepared in an earlier one is gone */
    unsigned names;                    /* given to statements */
    struct postgres_pending pending[POSTGRES_PENDING_MAX];
    size_t pending_count;
    enum err failure;                  /* the first of an exchange */
    bool is_replica;
    bool in_transaction;               /* from its beginning to its end, whatever becomes of the connection */
    bool is_lost;                      /* in the middle of a transaction, which has to begin anew */
    bool committed;
    bool unlimited;                    /* a migration takes its time */
    unsigned queued_for;               /* so many of its next transactions take turns with others' */
    bool has_turn;
    int64_t replica_again_ns;          /* while the primary answers for it */
};

static inline struct postgres_database *postgres_database(const struct db *db)
{
    return (struct postgres_database *)(uintptr_t)db;
}

static inline struct postgres_connection *postgres_connection(const struct db_connection *connection)
{
    return (struct postgres_connection *)(uintptr_t)connection;
}

/* ---- db_postgres_connection.c ---- */

/** Connects unless it is connected. ERR_UNAVAILABLE, at once when the server was away a moment ago. */
enum err must_check postgres_ensure(struct postgres_connection *own);

/** The same, trying until that many milliseconds have passed; ERR_CONFIG at once for what waiting does not mend. */
enum err must_check postgres_await(struct postgres_connection *own, unsigned timeout_ms);

/** The connection has failed: forgets it. */
void postgres_drop(struct postgres_connection *own);

/* ---- db_postgres_error.c ---- */

/** What the server, or libpq, said of a statement, as an error with its cause. Notes in the connection what follows. */
enum err postgres_failed(struct postgres_connection *own, const PGresult *result, const char *doing);

/* ---- db_postgres_exchange.c ---- */

/** Sends a statement that was prepared by the connection, "begin" for example. */
enum err must_check postgres_send_named(struct postgres_connection *own, const char *name, enum postgres_wish wish);

/** Notes what was sent; when there is no more room, reads. */
enum err must_check postgres_sent(struct postgres_connection *own, int is_sent, enum postgres_wish wish,
                                  struct db_statement *statement);

/** Reads the answers of all that was sent. The first failure among them. */
enum err must_check postgres_exchange(struct postgres_connection *own);

/** Waits for input, or until the time of a reader is over, which cancels what is under way. */
enum err must_check postgres_wait_result(struct postgres_connection *own);

enum err must_check postgres_script(struct db_connection *connection, const char *sql);

/* ---- db_postgres_statement.c ---- */

void postgres_prepare(struct db_statement *statement);
void postgres_finalize(struct db_statement *statement);
enum err must_check postgres_bind_text(struct db_statement *statement, int at, struct text value);
enum err must_check postgres_bind_int(struct db_statement *statement, int at, int64_t value);
enum err must_check postgres_bind_null(struct db_statement *statement, int at);
bool postgres_step(struct db_statement *statement);
void postgres_run(struct db_statement *statement);
struct text postgres_text(struct db_statement *statement, int column);
int64_t postgres_integer(struct db_statement *statement, int column);
bool postgres_is_null(struct db_statement *statement, int column);
void postgres_reset(struct db_statement *statement);

/** The answers to what was sent of a statement: that it is prepared, and its result, which is taken over. */
void postgres_statement_prepared(struct db_statement *statement, bool is_prepared);
void postgres_statement_result(struct db_statement *statement, PGresult *result);

/* ---- db_postgres_transaction.c ---- */

enum err must_check postgres_begin(struct db_connection *connection, enum transaction_kind kind);
enum err must_check postgres_commit(struct db_connection *connection);
void postgres_roll_back(struct db_connection *connection);
enum err must_check postgres_savepoint(struct db_connection *connection);
enum err must_check postgres_release(struct db_connection *connection);
enum err must_check postgres_undo(struct db_connection *connection);
bool postgres_in_transaction(const struct db_connection *connection);

/* ---- db_postgres_lease.c ---- */

bool postgres_lease_take(struct db *db, unsigned number);
void postgres_lease_end(struct db *db, unsigned number);

/* ---- db_postgres_replica.c ---- */

enum err must_check postgres_replica_lag(struct db *db, int64_t *ret_us);

#endif
