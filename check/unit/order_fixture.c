#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/order/store.h"
#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/order_fixture.h"
#include "state/migrate.h"

struct fixture fixture;

static void open_database(void)
{
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "order.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(fixture.db, &order_migrations, 1), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
}

void fixture_begin(void)
{
    scratch_init(&fixture.scratch);
    pthread_mutex_init(&fixture.lock, NULL);
    fixture.events = calloc(FIXTURE_EVENTS_MAX, sizeof *fixture.events);
    fixture.event_count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.events);
    open_database();
    CU_ASSERT_EQUAL_FATAL(scratch_script(fixture.db,
                                         "INSERT INTO item (sku, name, price_minor, currency, version) VALUES"
                                         " ('tea', 'Green tea', 1250, 'EUR', 1), ('cup', 'A cup', 399, 'EUR', 4),"
                                         " ('fan', 'Paper fan', 800, 'JPY', 1), ('gift', 'A gift', 0, 'EUR', 1),"
                                         " ('moon', 'The moon', 9000000000000000000, 'EUR', 1)"),
                          ERR_NONE);
}

void fixture_reopen(void)
{
    db_close(fixture.db);
    open_database();
}

void fixture_end(void)
{
    db_close(fixture.db);
    fixture.db = NULL;
    free(fixture.events);
    pthread_mutex_destroy(&fixture.lock);
    scratch_fini(&fixture.scratch);
}

/* ---- events ---- */

enum err fixture_emit(void *emitter, struct db_connection *db, const struct order_origin *origin, const char *type,
                      struct text subject, struct text data)
{
    (void)emitter, (void)db;
    enum err err = ERR_NONE;
    pthread_mutex_lock(&fixture.lock);
    if (fixture.event_count < FIXTURE_EVENTS_MAX) {
        struct fixture_event *event = &fixture.events[fixture.event_count++];
        snprintf(event->type, sizeof event->type, "%s", type);
        snprintf(event->subject, sizeof event->subject, "%.*s", TEXT_ARGS(subject));
        snprintf(event->request_id, sizeof event->request_id, "%.*s", TEXT_ARGS(origin->request_id));
        snprintf(event->traceparent, sizeof event->traceparent, "%.*s", TEXT_ARGS(origin->traceparent));
        snprintf(event->data, sizeof event->data, "%.*s", TEXT_ARGS(data));
    } else {
        err = err_because(ERR_MEMORY, "the recorder is full");
    }
    pthread_mutex_unlock(&fixture.lock);
    return err;
}

size_t fixture_emitted(const char *type, const char *order_id)
{
    size_t count = 0;
    pthread_mutex_lock(&fixture.lock);
    for (size_t i = 0; i < fixture.event_count; i++)
        count += strcmp(fixture.events[i].type, type) == 0 &&
                 (!order_id || strcmp(fixture.events[i].subject, order_id) == 0);
    pthread_mutex_unlock(&fixture.lock);
    return count;
}

const struct fixture_event *fixture_find(const char *type, const char *order_id)
{
    const struct fixture_event *found = NULL;
    pthread_mutex_lock(&fixture.lock);
    for (size_t i = 0; i < fixture.event_count && !found; i++)
        if (strcmp(fixture.events[i].type, type) == 0 && strcmp(fixture.events[i].subject, order_id) == 0)
            found = &fixture.events[i];
    pthread_mutex_unlock(&fixture.lock);
    return found;
}

/* ---- orders ---- */

struct apply {
    enum order_event event;
    const char *order_id, *cause;
    struct order *placed;          /* with ORDER_PLACE */
    bool applied;
};

static enum err apply_work(struct db_connection *db, void *context)
{
    struct apply *apply = context;
    struct order_change change = {
        .db = db,
        .emit = fixture_emit,
        .event = apply->event,
        .cause = text_of(apply->cause),
        .now_us = clock_wall_us(),
        .origin = {TEXT(FIXTURE_REQUEST_ID), TEXT(FIXTURE_TRACEPARENT)},
    };
    struct arena arena;
    struct order order;
    enum err err = ERR_NONE;
    arena_init(&arena, 1024 * 1024);
    if (apply->placed)
        order = *apply->placed;
    else
        err = store_order_find(db, &arena, text_of(apply->order_id), &order);
    if (!err)
        err = order_apply(&change, &order, &apply->applied);
    arena_fini(&arena);
    return err;
}

bool fixture_apply(const char *order_id, enum order_event event, const char *cause)
{
    struct apply apply = {.event = event, .order_id = order_id, .cause = cause};
    CU_ASSERT_EQUAL(db_write(fixture.db, apply_work, &apply), ERR_NONE);
    return apply.applied;
}

void fixture_place(const char *method, const char *sku, int64_t quantity, char out[static ID_SIZE])
{
    const struct currency *euro = currency_find(TEXT("EUR"));
    int64_t price = strcmp(sku, "gift") == 0 ? 0 : 1250;
    struct order_line line = {text_of(sku), TEXT("Green tea"), quantity, {price, euro}, {price * quantity, euro}};
    struct order order = {
        .id = text_of(id_new(out)),
        .user_id = TEXT("0190a000-0000-7000-8000-000000000001"),
        .total = line.total,
        .payment_method = secret_of(text_of(method)),
        .lines = &line,
        .line_count = 1,
        .created_us = clock_wall_us(),
    };
    struct apply apply = {.event = ORDER_PLACE, .cause = "placed", .placed = &order};
    CU_ASSERT_EQUAL_FATAL(db_write(fixture.db, apply_work, &apply), ERR_NONE);
    CU_ASSERT_TRUE(apply.applied);
}

/* ---- looking ---- */

const char *fixture_text(const char *sql, const char *parameter)
{
    static char out[256];
    struct db_connection *reader;
    out[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(db_reader_open(fixture.db, &reader), ERR_NONE);
    struct db_statement *row = db_query(reader, sql);
    db_bind_string(row, 1, parameter);
    while (db_next(row))
        snprintf(out, sizeof out, "%.*s", TEXT_ARGS(db_text(row, 0)));
    CU_ASSERT_EQUAL(db_done(row), ERR_NONE);
    db_reader_close(reader);
    return out;
}

const char *fixture_status(const char *order_id)
{
    return fixture_text("SELECT status FROM orders WHERE id = $1", order_id);
}

const char *fixture_payment(const char *order_id)
{
    return fixture_text("SELECT state FROM payment WHERE order_id = $1", order_id);
}
