#include "config.h"

#include <assert.h>

#include "base/clock.h"
#include "state/db_postgres.h"

/*
 * A lease is an advisory lock of a session: the server drops it when the connection ends, or its host has been silent
 * for some seconds (tcp_keepalives_*). All leases of a handle are held over one connection, which nothing else uses.
 * That it is still there is asked for at most each SEEN_MS, by whoever takes a lease that he has already.
 */
enum { SEEN_MS = 500, ANSWER_MS = 1000 };

static const char take_sql[] =
    "SELECT pg_try_advisory_lock(hashtext('tandem lease ' || current_schema()), CAST($1 AS INTEGER))";
static const char end_sql[] =
    "SELECT pg_advisory_unlock(hashtext('tandem lease ' || current_schema()), CAST($1 AS INTEGER))";
static const char ping_sql[] = "SELECT 1";

static enum err ask(struct db_connection *connection, const char *sql, unsigned number, bool *ret)
{
    db_reader_limit(connection, clock_now_ns() + ANSWER_MS * NS_PER_MS, NULL);
    struct db_statement *query = db_query(connection, sql);
    if (sql != ping_sql)
        db_bind_int(query, 1, number);
    bool answer = db_next(query) && db_int(query, 0);
    enum err err = db_done(query);
    if (!err)
        *ret = answer;
    return err;
}

/* Those of a connection that is gone are gone with it, and whatever is wrong with it ends it. */
static void look_after(struct postgres_database *database, enum err err)
{
    struct postgres_connection *own = postgres_connection(database->lease);
    if (err)
        postgres_drop(own);
    else
        database->leases_seen_ns = clock_now_ns();
    if (err || own->generation != database->leases_of)
        database->leases = 0;
    database->leases_of = own->generation;
}

static bool is_held(const struct postgres_database *database, unsigned number)
{
    return database->leases & (UINT64_C(1) << number);
}

static bool take(struct postgres_database *database, unsigned number)
{
    bool answer = false;
    if (is_held(database, number)) {
        if (clock_now_ns() < database->leases_seen_ns + SEEN_MS * NS_PER_MS)
            return true;
        look_after(database, ask(database->lease, ping_sql, number, &answer));
        if (is_held(database, number))
            return true;
    }
    answer = false;
    look_after(database, ask(database->lease, take_sql, number, &answer));
    if (answer)
        database->leases |= UINT64_C(1) << number;
    return answer;
}

bool postgres_lease_take(struct db *db, unsigned number)
{
    struct postgres_database *database = postgres_database(db);
    bool is_mine = false;
    assert(number < DB_MAX_LEASES);
    pthread_mutex_lock(&database->lease_lock);
    if (database->lease || connection_open(db, CONNECTION_READER, &database->lease) == ERR_NONE)
        is_mine = take(database, number);
    pthread_mutex_unlock(&database->lease_lock);
    return is_mine;
}

void postgres_lease_end(struct db *db, unsigned number)
{
    struct postgres_database *database = postgres_database(db);
    bool answer;
    pthread_mutex_lock(&database->lease_lock);
    if (database->lease && is_held(database, number)) {
        look_after(database, ask(database->lease, end_sql, number, &answer));
        database->leases &= ~(UINT64_C(1) << number);
    }
    pthread_mutex_unlock(&database->lease_lock);
}
