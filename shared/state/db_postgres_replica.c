#include "config.h"

#include "base/clock.h"
#include "state/db_postgres.h"

enum { ANSWER_MS = 1000 };

/* What it was last sent is all there is, for as long as it is being sent something; else the time since its latest
 * transaction is all that is known, or since its start, when there was none. */
static const char lag_sql[] =
    "SELECT CASE WHEN NOT pg_is_in_recovery() OR (pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"
    " AND EXISTS (SELECT FROM pg_stat_wal_receiver)) THEN 0 ELSE CAST(EXTRACT(EPOCH FROM clock_timestamp()"
    " - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time())) * 1000000 AS BIGINT) END";

static enum err ask(struct db_connection *connection, int64_t *ret_us)
{
    db_reader_limit(connection, clock_now_ns() + ANSWER_MS * NS_PER_MS, NULL);
    struct db_statement *query = db_query(connection, lag_sql);
    int64_t lag_us = db_next(query) ? db_int(query, 0) : 0;
    enum err err = db_done(query);
    if (!err)
        *ret_us = lag_us;
    return err;
}

enum err postgres_replica_lag(struct db *db, int64_t *ret_us)
{
    struct postgres_database *database = postgres_database(db);
    enum err err = ERR_NONE;
    if (!database->replica.name)
        return ERR_NONE;
    pthread_mutex_lock(&database->replica_lock);
    if (!database->replica_asker)
        err = connection_open(db, CONNECTION_STALE_READER, &database->replica_asker);
    if (!err)
        err = ask(database->replica_asker, ret_us);
    pthread_mutex_unlock(&database->replica_lock);
    return err;
}
