#include "config.h"

#include "app/idempotency.h"
#include "apps/order/store.h"
#include "apps/order/workflow.h"
#include "base/clock.h"
#include "base/id.h"
#include "check/harness/suite.h"
#include "check/unit/order_filling.h"
#include "events/consumer.h"
#include "events/outbox.h"

enum { ORDERS_OF_A_JOB = 200 };

#define USER "0190a000-0000-7000-8000-000000000001"

void filling_sets(struct migration_set sets[static FILLING_SETS])
{
    sets[0] = events_migrations;
    sets[1] = app_migrations;
    sets[2] = order_migrations;
}

struct db *filling_open(const struct db_opts *opts)
{
    struct migration_set sets[FILLING_SETS];
    struct db *db = NULL;
    filling_sets(sets);
    CU_ASSERT_EQUAL_FATAL(db_open(opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(db, sets, FILLING_SETS), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    return db;
}

static enum err emit(void *emitter, struct db_connection *connection, const struct order_origin *origin,
                     const char *type, struct text subject, struct text data)
{
    (void)emitter, (void)origin;
    const struct event event = {.type = text_of(type), .source = TEXT("/tandem/order"), .subject = subject,
                                .data = data};
    return outbox_add(connection, &event);
}

/* As idempotency.c does, which needs a whole call for it. */
static enum err remember(struct db_connection *connection, const char *order_id)
{
    struct db_statement *row = db_query(connection,
        "INSERT INTO idempotency (lookup, caller, key, digest, status, headers, body, created_us)"
        " VALUES ($1, '" USER "', $1, 'digest', 201, 'Location: /v1/orders/1', '{\"name\":\"Tee für zwei\"}', $2)");
    db_bind_string(row, 1, order_id);
    db_bind_int(row, 2, clock_wall_us());
    return db_run(row, NULL);
}

static enum err pay(struct db_connection *connection, struct order *order)
{
    static const enum order_event events[] = {ORDER_PLACE, ORDER_STOCK_RESERVED, ORDER_PAYMENT_APPROVED};
    enum err err = ERR_NONE;
    for (size_t i = 0; i < sizeof events / sizeof events[0] && !err; i++) {
        const struct order_change change = {.db = connection, .emit = emit, .event = events[i],
                                            .cause = TEXT("filling"), .now_us = clock_wall_us()};
        bool applied;
        err = order_apply(&change, order, &applied);
    }
    return err;
}

static enum err add_one(struct db_connection *connection)
{
    const struct money price = {1250, currency_find(TEXT("EUR"))};
    char id[ID_SIZE];
    struct order_line line = {TEXT("tea"), TEXT("Tee für zwei"), 1, price, price};
    struct order order = {.id = text_of(id_new(id)), .user_id = TEXT(USER), .total = price,
                          .payment_method = secret_of(TEXT("card")), .lines = &line, .line_count = 1,
                          .created_us = clock_wall_us()};
    enum err err = pay(connection, &order);
    return err ? err : remember(connection, id);
}

static enum err add_some(struct db_connection *connection, void *context)
{
    const unsigned *count = context;
    enum err err = ERR_NONE;
    for (unsigned i = 0; i < *count && !err; i++)
        err = add_one(connection);
    return err;
}

enum err filling_add(struct db *db, unsigned count)
{
    enum err err = ERR_NONE;
    while (count > 0 && !err) {
        unsigned some = count < ORDERS_OF_A_JOB ? count : ORDERS_OF_A_JOB;
        err = db_write(db, add_some, &some);
        count -= some;
    }
    return err;
}
