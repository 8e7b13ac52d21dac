#include "config.h"

#include <stdio.h>

#include "app/service.h"
#include "apps/order/events.h"
#include "apps/order/store.h"
#include "base/clock.h"
#include "base/json.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#define LOG_MODULE LOG_MODULE_ORDER

enum { READ_MAX_BYTES = 64 * 1024, TYPE_SIZE = 64 };

/* ---- reading ---- */

struct price_data {
    int64_t amount_minor;
    struct text currency;
};

struct item_data {
    struct text sku, name;
    struct price_data price;
    int64_t version;
};

static bool is_currency(struct text code)
{
    return currency_find(code) != NULL;
}

static const struct json_field price_fields[] = {
    {.name = "amount_minor", .type = JSON_INTEGER, .required = true, .min = 0, .max = INT64_MAX,
     .offset = offsetof(struct price_data, amount_minor)},
    {.name = "currency", .type = JSON_TEXT, .required = true, .accepts = is_currency,
     .rule = "must be an ISO 4217 code", .offset = offsetof(struct price_data, currency)},
    {.name = NULL},
};

static const struct json_field item_fields[] = {
    {.name = "sku", .type = JSON_TEXT, .required = true, .min = 1, .max = SKU_MAX,
     .offset = offsetof(struct item_data, sku)},
    {.name = "name", .type = JSON_TEXT, .required = true, .offset = offsetof(struct item_data, name)},
    {.name = "price", .type = JSON_OBJECT, .required = true, .fields = price_fields,
     .offset = offsetof(struct item_data, price)},
    {.name = "version", .type = JSON_INTEGER, .required = true, .min = 1, .max = INT64_MAX,
     .offset = offsetof(struct item_data, version)},
    {.name = NULL},
};

struct stock_data {
    struct text order_id, reason, sku;
};

static const struct json_field stock_fields[] = {
    {.name = "order_id", .type = JSON_TEXT, .required = true, .min = 1, .max = ID_LENGTH,
     .offset = offsetof(struct stock_data, order_id)},
    {.name = "reason", .type = JSON_TEXT, .offset = offsetof(struct stock_data, reason)},
    {.name = "sku", .type = JSON_TEXT, .offset = offsetof(struct stock_data, sku)},
    {.name = NULL},
};

static enum err read_data(const struct event *event, const struct json_field *fields, struct arena *arena, void *out)
{
    struct json_document *document;
    struct json_faults faults = {.count = 0};
    enum err err = json_parse(event->data, &document);
    if (err)
        return err;
    err = json_read_lenient(document, fields, arena, out, &faults);
    json_free(document);
    return err;
}

/* ---- emitting ---- */

enum err order_emit_event(void *emitter, struct db_connection *db, const struct order_origin *origin, const char *type,
                          struct text subject, struct text data)
{
    const struct event cause = {.request_id = origin->request_id, .traceparent = origin->traceparent,
                                .tracestate = origin->tracestate};
    return service_emit(emitter, db, &cause, type, subject, data);
}

/* ---- handlers ---- */

/* The types are those of the table below, a closed set. */
static void count_ignored(const struct event *event)
{
    char type[TYPE_SIZE];
    snprintf(type, sizeof type, "%.*s", TEXT_ARGS(event->type));
    metric_add(metric_series(METRIC_EVENTS_IGNORED, type), 1);
    log_event(LOG_DEBUG, "an event was repeated or late", LOG_TEXT("type", event->type),
              LOG_TEXT("subject", event->subject));
}

static enum err item_changed(struct db_connection *db, const struct event *event, void *context)
{
    struct arena arena;
    struct item_data data = {.version = 0};
    bool kept = true;
    (void)context;
    arena_init(&arena, READ_MAX_BYTES);
    enum err err = read_data(event, item_fields, &arena, &data);
    if (!err) {
        struct known_item item = {
            .sku = data.sku,
            .name = data.name,
            .price = {data.price.amount_minor, currency_find(data.price.currency)},
            .version = data.version,
        };
        err = store_item_put(db, &item, &kept);
    }
    if (!err && !kept)
        count_ignored(event);
    arena_fini(&arena);
    return err;
}

/* What inventory says of an order's stock, as an event of its workflow. */
static enum err follow(struct db_connection *db, const struct event *event, struct service *service,
                       enum order_event order_event, const char *cause_text)
{
    struct order_change change = {
        .db = db,
        .emit = order_emit_event,
        .emitter = service,
        .event = order_event,
        .cause = text_of(cause_text),
        .now_us = clock_wall_us(),
        .origin = {event->request_id, event->traceparent, event->tracestate},
    };
    struct stock_data data = {.sku = TEXT_NONE};
    struct arena arena;
    struct order order;
    bool applied = false;
    arena_init(&arena, READ_MAX_BYTES);
    enum err err = read_data(event, stock_fields, &arena, &data);
    if (!err)
        err = store_order_head(db, &arena, data.order_id, &order);
    if (!err && data.reason.at)
        change.cause = data.sku.at ? text_of(arena_printf(&arena, "%.*s: %.*s", TEXT_ARGS(data.reason),
                                                          TEXT_ARGS(data.sku)))
                                   : data.reason;
    if (!err && !change.cause.at)
        err = err_because(ERR_MEMORY, "no memory for a reason");
    if (!err)
        err = order_apply(&change, &order, &applied);
    if (err == ERR_NOT_FOUND)
        err = ERR_NONE;
    if (!err && !applied)
        count_ignored(event);
    arena_fini(&arena);
    return err;
}

static enum err stock_reserved(struct db_connection *db, const struct event *event, void *context)
{
    return follow(db, event, context, ORDER_STOCK_RESERVED, "stock reserved");
}

static enum err stock_rejected(struct db_connection *db, const struct event *event, void *context)
{
    return follow(db, event, context, ORDER_STOCK_REJECTED, "stock rejected");
}

static enum err stock_expiring(struct db_connection *db, const struct event *event, void *context)
{
    return follow(db, event, context, ORDER_EXPIRE, "reservation expired");
}

const struct event_handler order_handlers[] = {
    {"item.changed.v1", item_changed},
    {"stock.reserved.v1", stock_reserved},
    {"stock.rejected.v1", stock_rejected},
    {"stock.expiring.v1", stock_expiring},
};
const size_t order_handler_count = sizeof order_handlers / sizeof order_handlers[0];
