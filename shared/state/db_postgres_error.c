#include "config.h"

#include <string.h>

#include "state/db_postgres.h"

/* What follows from an error beside its code. */
enum { RERUN = 1, LOST = 2, STALE = 4, WAITED = 8, CROWDED = 16 };

/* A whole SQLSTATE, or the class that it begins with; the first that fits. https://www.postgresql.org/docs/current/
 * errcodes-appendix.html */
static const struct {
    const char *state;
    enum err err;
    unsigned follows;
} meanings[] = {
    {"40001", ERR_BUSY, RERUN | CROWDED},                /* serialization_failure */
    {"40P01", ERR_BUSY, RERUN | CROWDED},                /* deadlock_detected */
    {"26000", ERR_STORAGE, RERUN | STALE},     /* a prepared statement is not there */
    {"0A000", ERR_STORAGE, RERUN | STALE},     /* "cached plan must not change result type", after a migration */
    {"23505", ERR_CONFLICT, 0},                /* unique_violation */
    {"23503", ERR_CONFLICT, 0},                /* foreign_key_violation */
    {"23P01", ERR_CONFLICT, 0},                /* exclusion_violation */
    {"23", ERR_INVALID, 0},                    /* not_null_violation, check_violation */
    {"22", ERR_INVALID, 0},                    /* a value that a type does not have */
    {"53100", ERR_STORAGE_FULL, 0},            /* disk_full */
    {"53200", ERR_MEMORY, 0},                  /* out_of_memory */
    {"53", ERR_UNAVAILABLE, 0},                /* too_many_connections */
    {"54", ERR_TOO_LARGE, 0},                  /* program_limit_exceeded */
    {"55P03", ERR_BUSY, WAITED},                   /* lock_not_available: lock_timeout */
    {"57014", ERR_DEADLINE, 0},                /* query_canceled: by us, or statement_timeout */
    {"57P", ERR_UNAVAILABLE, LOST},            /* admin_shutdown, crash_shutdown, cannot_connect_now */
    {"25P03", ERR_UNAVAILABLE, LOST},          /* idle_in_transaction_session_timeout */
    {"25006", ERR_STORAGE, 0},                 /* read_only_sql_transaction */
    {"08", ERR_UNAVAILABLE, LOST},             /* connection_exception */
    {"28", ERR_CONFIG, 0},                     /* invalid_authorization_specification */
    {"3D000", ERR_CONFIG, 0},                  /* there is no such database */
};

static bool begins_with(const char *state, const char *with)
{
    return strncmp(state, with, strlen(with)) == 0;
}

static enum err meaning_of(const char *state, unsigned *ret_follows)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (begins_with(state, meanings[i].state)) {
            *ret_follows = meanings[i].follows;
            return meanings[i].err;
        }
    }
    *ret_follows = 0;
    return ERR_STORAGE;
}

static void note(struct postgres_connection *own, unsigned follows)
{
    if (follows & WAITED)
        DB_COUNT(own->base.db, busy, 1);
    if (own->base.kind != CONNECTION_WRITER)
        return;
    own->base.has_changed = true;   /* a transaction in which something has failed cannot simply go on */
    if (follows & (RERUN | LOST))
        own->base.must_rerun = true;
    if (follows & CROWDED)
        own->queued_for = POSTGRES_TURNS;
}

static const char *first_line(const char *said, char out[static POSTGRES_CAUSE_SIZE])
{
    size_t length = strcspn(said, "\n");
    connection_said((struct text){said, length}, out, POSTGRES_CAUSE_SIZE);
    return out;
}

enum err postgres_failed(struct postgres_connection *own, const PGresult *result, const char *doing)
{
    char said[POSTGRES_CAUSE_SIZE];
    const char *name = own->base.db->path;
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    bool is_lost = !own->handle || PQstatus(own->handle) == CONNECTION_BAD;
    unsigned follows = LOST;
    enum err err = ERR_UNAVAILABLE;
    if (state)
        err = meaning_of(state, &follows);
    else if (!is_lost)
        err = ERR_STORAGE, follows = 0;
    note(own, follows);
    if (follows & STALE)
        own->generation++;   /* everything is prepared anew */
    if (state)
        return err_because(err, "%s: %s [%s] %.200s", name,
                           first_line(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), said), state, doing);
    const char *libpq_said = own->handle ? PQerrorMessage(own->handle) : "";
    return err_because(err, "%s: %s: %.200s", name, *libpq_said ? first_line(libpq_said, said)
                                                                : "the connection is lost", doing);
}
