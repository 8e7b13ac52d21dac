#include "config.h"

#include <assert.h>

#include "state/db_private.h"

void db_notify(struct db_connection *connection, const char *topic)
{
    struct db *db = connection->db;
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; i < DB_MAX_LISTENERS; i++)
        if (db->listeners[i].topic == topic)
            connection->notified |= 1U << i;
    pthread_mutex_unlock(&db->listeners_lock);
}

enum err db_listen(struct db *db, const char *topic, void (*wake)(void *context), void *context)
{
    assert(topic && wake);
    enum err err = err_because(ERR_MEMORY, "%s has %d listeners already", db->path, DB_MAX_LISTENERS);
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; err && i < DB_MAX_LISTENERS; i++)
        if (!db->listeners[i].topic) {
            db->listeners[i] = (struct db_listener){topic, wake, context};
            err = ERR_NONE;
        }
    pthread_mutex_unlock(&db->listeners_lock);
    return err;
}

void db_unlisten(struct db *db, const char *topic, void *context)
{
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; i < DB_MAX_LISTENERS; i++)
        if (db->listeners[i].topic == topic && db->listeners[i].context == context)
            db->listeners[i] = (struct db_listener){NULL, NULL, NULL};
    pthread_mutex_unlock(&db->listeners_lock);
}

void listeners_wake(struct db_connection *connection)
{
    struct db *db = connection->db;
    unsigned notified = connection->notified;
    connection->notified = 0;
    if (!notified)
        return;
    pthread_mutex_lock(&db->listeners_lock);
    for (unsigned i = 0; i < DB_MAX_LISTENERS; i++)
        if ((notified & (1U << i)) && db->listeners[i].topic)
            db->listeners[i].wake(db->listeners[i].context);
    pthread_mutex_unlock(&db->listeners_lock);
}
