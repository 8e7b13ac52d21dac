#include "config.h"

#include <stdio.h>

#include "app/service.h"
#include "apps/inventory/events.h"
#include "apps/inventory/inventory.h"
#include "apps/inventory/stock.h"
#include "base/clock.h"
#include "base/json.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_INVENTORY

/* Room for the largest event, read into structs. */
enum { READ_MAX_BYTES = 4 * EVENT_MAX_BYTES, LINES_MAX = 10000, TYPE_SIZE = 64 };

#define QUANTITY_MAX INT64_C(1000000000)

struct order_data {
    struct text order_id;
    struct json_array lines;      /* of struct stock_line */
};

static const struct json_field line_fields[] = {
    {.name = "sku", .type = JSON_TEXT, .required = true, .min = 1, .offset = offsetof(struct stock_line, sku)},
    {.name = "quantity", .type = JSON_INTEGER, .required = true, .min = 1, .max = QUANTITY_MAX,
     .offset = offsetof(struct stock_line, quantity)},
    {.name = NULL},
};

static const struct json_field placed_fields[] = {
    {.name = "order_id", .type = JSON_TEXT, .required = true, .min = 1, .max = ID_LENGTH,
     .offset = offsetof(struct order_data, order_id)},
    {.name = "lines", .type = JSON_ARRAY, .required = true, .min = 1, .max = LINES_MAX, .fields = line_fields,
     .element_size = sizeof(struct stock_line), .offset = offsetof(struct order_data, lines)},
    {.name = NULL},
};

static const struct json_field order_fields[] = {
    {.name = "order_id", .type = JSON_TEXT, .required = true, .min = 1, .max = ID_LENGTH,
     .offset = offsetof(struct order_data, order_id)},
    {.name = NULL},
};

/* An event being handled. */
struct handling {
    struct service *service;
    struct db_connection *db;
    const struct event *event;
    struct arena arena;
    struct order_data data;
    struct stock_lines changed;
};

static enum err read_data(struct handling *handling, const struct json_field *fields)
{
    struct json_document *document;
    struct json_faults faults = {.count = 0};
    enum err err = json_parse(handling->event->data, &document);
    if (err)
        return err;
    err = json_read_lenient(document, fields, &handling->arena, &handling->data, &faults);
    json_free(document);
    return err;
}

/* Says how an order's stock stands; short_sku may be absent. */
static enum err say(struct service *service, struct db_connection *db, const struct event *cause, const char *type,
                    struct text order_id, const char *reason, struct text short_sku)
{
    struct buf data;
    struct json_writer writer;
    buf_init(&data, EVENT_MAX_BYTES);
    json_writer_init(&writer, &data);
    json_object_begin(&writer);
    json_member_text(&writer, "order_id", order_id);
    if (reason)
        json_member_string(&writer, "reason", reason);
    if (short_sku.at)
        json_member_text(&writer, "sku", short_sku);
    json_object_end(&writer);
    enum err err = buf_check(&data);
    if (!err)
        err = service_emit(service, db, cause, type, order_id, buf_text(&data));
    buf_fini(&data);
    return err;
}

enum err stock_say_expiring(struct service *service, struct db_connection *db, struct text order_id)
{
    return say(service, db, NULL, "stock.expiring.v1", order_id, "reservation expired", TEXT_NONE);
}

/* The types are those of the table below, a closed set. */
static void count_ignored(const struct event *event)
{
    char type[TYPE_SIZE];
    snprintf(type, sizeof type, "%.*s", TEXT_ARGS(event->type));
    metric_add(metric_series(METRIC_EVENTS_IGNORED, type), 1);
    log_event(LOG_DEBUG, "an event was repeated or late", LOG_TEXT("type", event->type),
              LOG_TEXT("subject", event->subject));
}

/* ---- what each event does ---- */

typedef enum err handling_work(struct handling *handling, enum stock_result *ret, struct text *ret_short);

static enum err reserve(struct handling *handling, enum stock_result *ret, struct text *ret_short)
{
    const struct stock_line *lines = handling->data.lines.elements;
    size_t at = 0;
    enum err err = stock_reserve(handling->db, handling->data.order_id, lines, handling->data.lines.count,
                                 clock_wall_us(), ret, &at);
    if (!err && *ret == STOCK_REJECTED)
        *ret_short = lines[at].sku;
    handling->changed = (struct stock_lines){handling->data.lines.elements, handling->data.lines.count};
    return err;
}

static enum err sell(struct handling *handling, enum stock_result *ret, struct text *ret_short)
{
    (void)ret_short;
    return stock_sell(handling->db, &handling->arena, handling->data.order_id, clock_wall_us(), ret,
                      &handling->changed);
}

static enum err release(struct handling *handling, enum stock_result *ret, struct text *ret_short)
{
    (void)ret_short;
    return stock_release(handling->db, &handling->arena, handling->data.order_id, clock_wall_us(), ret,
                         &handling->changed);
}

/* What is said of each result; type NULL: nothing. */
static const struct answer {
    const char *type, *reason;
    bool ignored;                  /* the event changed nothing, and is counted as such */
} answers[] = {
    [STOCK_IGNORED] = {NULL, NULL, true},
    [STOCK_RESERVED] = {"stock.reserved.v1", NULL, false},
    [STOCK_REJECTED] = {"stock.rejected.v1", "insufficient stock", false},
    [STOCK_SOLD] = {NULL, NULL, false},
    [STOCK_RELEASED] = {"stock.released.v1", NULL, false},
    [STOCK_STILL_RESERVED] = {"stock.reserved.v1", NULL, true},
    [STOCK_STILL_REJECTED] = {"stock.rejected.v1", "insufficient stock", true},
};

static void forget_changed(const struct handling *handling)
{
    for (size_t i = 0; i < handling->changed.count; i++)
        item_cache_changed(inventory_items(handling->service), handling->db, handling->changed.lines[i].sku, false);
}

static enum err handle(struct db_connection *db, const struct event *event, struct service *service,
                       const struct json_field *fields, handling_work *work)
{
    struct handling handling = {.service = service, .db = db, .event = event};
    enum stock_result result = STOCK_IGNORED;
    struct text short_sku = TEXT_NONE;
    arena_init(&handling.arena, READ_MAX_BYTES);
    enum err err = read_data(&handling, fields);
    if (!err)
        err = work(&handling, &result, &short_sku);
    if (!err)
        forget_changed(&handling);
    if (!err && answers[result].ignored)
        count_ignored(event);
    if (!err && answers[result].type)
        err = say(service, db, event, answers[result].type, handling.data.order_id, answers[result].reason, short_sku);
    arena_fini(&handling.arena);
    return err;
}

static enum err order_placed(struct db_connection *db, const struct event *event, void *context)
{
    return handle(db, event, context, placed_fields, reserve);
}

static enum err order_paid(struct db_connection *db, const struct event *event, void *context)
{
    return handle(db, event, context, order_fields, sell);
}

static enum err order_cancelled(struct db_connection *db, const struct event *event, void *context)
{
    return handle(db, event, context, order_fields, release);
}

const struct event_handler inventory_handlers[] = {
    {"order.placed.v1", order_placed},
    {"order.paid.v1", order_paid},
    {"order.cancelled.v1", order_cancelled},
};
const size_t inventory_handler_count = sizeof inventory_handlers / sizeof inventory_handlers[0];
