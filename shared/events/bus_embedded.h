/*
 * The embedded bus, shared by its files: bus_embedded.c has the log, publishing and sweeping;
 * bus_embedded_subscription.c has reading and the groups, bus_embedded_browse.c what an operator sees of both.
 *
 * Next to the database lies a file of one byte that a publisher writes after its commit, and that the subscriptions of
 * all processes watch. It carries no data; the log is also looked at each second, should a wake-up be lost.
 */
#ifndef TANDEM_EVENTS_BUS_EMBEDDED_H
#define TANDEM_EVENTS_BUS_EMBEDDED_H

#include <pthread.h>

#include "base/buf.h"
#include "events/bus_driver.h"
#include "state/db.h"

/* In SQL, whether a type is one of a JSON array of types and of families, which are types without their number. These
 * come first, since consumers ask for nothing else. */
#define BUS_TYPE_IS_OF(array)                                                                                          \
    "(rtrim(type, '0123456789') IN (SELECT value FROM json_each(" array "))"                                           \
    " OR type IN (SELECT value FROM json_each(" array ")))"

struct bus_embedded {
    struct bus base;
    struct db *db;
    char *wake_path;
    int wake_fd;
    int64_t retention_us;
    int64_t max_bytes;
    struct buf envelope;      /* the writer thread's */
    pthread_mutex_t lock;     /* of the reader */
    struct db_connection *reader;
};

enum err must_check bus_embedded_subscribe(struct bus *base, const char *group, const char *const *types,
                                           struct bus_subscription **ret);
void bus_embedded_unsubscribe(struct bus_subscription *base);
enum err must_check bus_embedded_fetch(struct bus_subscription *base, unsigned timeout_ms, struct arena *arena,
                                       struct bus_delivery *deliveries, size_t max, size_t *ret_count);
enum err must_check bus_embedded_acknowledge(struct bus_subscription *base, int64_t offset);
void bus_embedded_rewind(struct bus_subscription *base);
void bus_embedded_wake(struct bus_subscription *base);
enum err must_check bus_embedded_lag(struct bus_subscription *base, struct bus_lag *ret);
enum err must_check bus_embedded_browse(struct bus *base, const struct bus_filter *filter,
                                        enum err (*take)(const struct bus_entry *entry, void *context), void *context);
enum err must_check bus_embedded_groups(struct bus *base,
                                        enum err (*take)(const struct bus_group *group, void *context), void *context);

#endif
