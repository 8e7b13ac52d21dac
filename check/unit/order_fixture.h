/*
 * What the tests of orders share: an order database, items to order, and a recorder of the events that were emitted.
 */
#ifndef TANDEM_CHECK_UNIT_ORDER_FIXTURE_H
#define TANDEM_CHECK_UNIT_ORDER_FIXTURE_H

#include <pthread.h>

#include "apps/order/workflow.h"
#include "base/id.h"
#include "check/unit/scratch.h"

enum { FIXTURE_EVENTS_MAX = 4096 };

/* The origin of everything that fixture_apply() does. */
#define FIXTURE_REQUEST_ID "request-1"
#define FIXTURE_TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

struct fixture_event {
    char type[32], subject[ID_SIZE], data[512], request_id[64], traceparent[64];
};

struct fixture {
    struct scratch scratch;
    struct db *db;
    pthread_mutex_t lock;          /* of the events */
    struct fixture_event *events;
    size_t event_count;
};

extern struct fixture fixture;

/** A new database with the items "tea" and "cup" (EUR) and "fan" (JPY); fixture_reopen() keeps the file. */
void fixture_begin(void);
void fixture_reopen(void);
void fixture_end(void);

/** Keeps what is emitted; the emitter is not looked at. */
order_emit fixture_emit;

/** How many events of a type were emitted, for an order or (NULL) for any. */
size_t fixture_emitted(const char *type, const char *order_id);

/** The first of these; NULL when there is none. */
const struct fixture_event *fixture_find(const char *type, const char *order_id);

/** Places an order of one line and writes its id to out. */
void fixture_place(const char *method, const char *sku, int64_t quantity, char out[static ID_SIZE]);

/** Applies an event as a job of its own; whether there was a transition. */
bool fixture_apply(const char *order_id, enum order_event event, const char *cause);

/** The status of an order; static until the next call. */
const char *fixture_status(const char *order_id);
const char *fixture_payment(const char *order_id);

/** The first column of a query's one row as text; static until the next call; "" when there is none. */
const char *fixture_text(const char *sql, const char *parameter);

#endif
