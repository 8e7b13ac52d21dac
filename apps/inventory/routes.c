#include "config.h"

#include "app/service.h"
#include "apps/inventory/inventory.h"
#include "apps/inventory/item.h"
#include "apps/inventory/routes.h"
#include "apps/inventory/stock.h"
#include "apps/inventory/store.h"
#include "base/clock.h"

static void answer_item(struct call *call, int status, const struct item *item)
{
    struct json_writer writer;
    call_header(call, "ETag", "\"%lld\"", (long long)item->version);
    call_json(call, status, &writer);
    item_write(&writer, item);
}

/* ---- GET /v1/items and /v1/items/{sku} ---- */

static enum err item_query(struct call *call)
{
    struct item_answer answer;
    struct json_writer writer;
    enum err err = item_cache_find(inventory_items(call->service), call, call_path(call, "sku"), &answer);
    if (err)
        return err;
    call_header(call, "ETag", "\"%lld\"", (long long)answer.version);
    call_json(call, 200, &writer);
    json_raw(&writer, answer.json);
    return ERR_NONE;
}

static enum err items_query(struct call *call)
{
    struct page page;
    struct item *items;
    struct json_writer writer;
    size_t count;
    enum err err = call_page(call, &page);
    if (!err)   /* one more tells whether there is a next page */
        err = store_item_list(call->db, call_arena(call), page.after, page.limit + 1, &items, &count);
    if (err)
        return err;
    size_t shown = count > (size_t)page.limit ? (size_t)page.limit : count;
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_key(&writer, "items");
    json_array_begin(&writer);
    for (size_t i = 0; i < shown; i++)
        item_write(&writer, &items[i]);
    json_array_end(&writer);
    call_page_next(call, &writer, count > shown ? items[shown - 1].sku : TEXT_NONE);
    json_object_end(&writer);
    return ERR_NONE;
}

/* ---- PUT /v1/items/{sku} ---- */

struct price_input {
    int64_t amount_minor;
    struct text currency;
};

struct item_input {
    struct text name;
    struct price_input price;
};

static const struct json_field price_fields[] = {
    {.name = "amount_minor", .type = JSON_INTEGER, .required = true, .min = 0, .max = PRICE_MAX_MINOR,
     .offset = offsetof(struct price_input, amount_minor)},
    {.name = "currency", .type = JSON_TEXT, .required = true, .accepts = item_currency_is_valid,
     .rule = "must be an ISO 4217 code, such as EUR", .offset = offsetof(struct price_input, currency)},
    {.name = NULL},
};

static const struct json_field item_fields[] = {
    {.name = "name", .type = JSON_TEXT, .required = true, .min = 1, .max = ITEM_NAME_MAX,
     .offset = offsetof(struct item_input, name)},
    {.name = "price", .type = JSON_OBJECT, .required = true, .fields = price_fields,
     .offset = offsetof(struct item_input, price)},
    {.name = NULL},
};

static enum err putting_check(struct call *call)
{
    if (item_sku_is_valid(call_path(call, "sku")))
        return ERR_NONE;
    return call_refuse(call, ERR_INVALID, "sku-malformed", "A sku is 1 to 64 of A-Z a-z 0-9 . _ and -.");
}

static enum err emit_changed(struct call *call, const struct item *item)
{
    struct buf data;
    struct json_writer writer;
    buf_init(&data, EVENT_MAX_BYTES);
    json_writer_init(&writer, &data);
    item_write_changed(&writer, item);
    enum err err = buf_check(&data);
    if (!err)
        err = call_emit(call, "item.changed.v1", item->sku, buf_text(&data));
    buf_fini(&data);
    return err;
}

static enum err putting_command(struct call *call)
{
    const struct item_input *input = call->input;
    struct item item = {
        .sku = call_path(call, "sku"),
        .name = input->name,
        .price = {input->price.amount_minor, currency_find(input->price.currency)},
        .updated_us = clock_wall_us(),
    };
    enum err err = store_item_put(call->db, &item);
    if (!err)
        err = emit_changed(call, &item);
    if (err)
        return err;
    item_cache_changed(inventory_items(call->service), call->db, item.sku, item.version == 1);
    if (item.version == 1)
        call_header(call, "Location", "/v1/items/%.*s", TEXT_ARGS(item.sku));
    answer_item(call, item.version == 1 ? 201 : 200, &item);
    return ERR_NONE;
}

/* ---- POST /v1/items/{sku}/stock ---- */

struct stock_input {
    int64_t delta;
    struct text reason;
};

static const struct json_field stock_fields[] = {
    {.name = "delta", .type = JSON_INTEGER, .required = true, .min = -STOCK_MAX, .max = STOCK_MAX,
     .offset = offsetof(struct stock_input, delta)},
    {.name = "reason", .type = JSON_TEXT, .required = true, .min = 1, .max = REASON_MAX,
     .offset = offsetof(struct stock_input, reason)},
    {.name = NULL},
};

static enum err stocking_check(struct call *call)
{
    const struct stock_input *input = call->input;
    return input->delta == 0 ? call_fault(call, "/delta", "must not be 0") : ERR_NONE;
}

static enum err stocking_command(struct call *call)
{
    const struct stock_input *input = call->input;
    struct movement movement = {
        .sku = call_path(call, "sku"),
        .delta = input->delta,
        .reason = input->reason,
        .cause = text_of(arena_printf(call_arena(call), "user %s", call->caller.user_id)),
        .at_us = clock_wall_us(),
    };
    struct item item;
    if (!movement.cause.at)
        return err_because(ERR_MEMORY, "no memory for a movement of stock");
    enum err err = stock_move(call->db, call_arena(call), &movement, &item);
    if (err == ERR_CONFLICT)
        return call_refuse(call, err, "insufficient-stock",
                           "That would leave less than nothing, or less than what is reserved for orders.");
    if (err == ERR_TOO_LARGE)
        return call_refuse(call, ERR_INVALID, "too-much-stock", "That would be more stock than can be accounted for.");
    if (err)
        return err;
    item_cache_changed(inventory_items(call->service), call->db, item.sku, false);
    answer_item(call, 200, &item);
    return ERR_NONE;
}

/* ---- the table ---- */

static const struct input item_body = {item_fields, sizeof(struct item_input)};
static const struct input stock_body = {stock_fields, sizeof(struct stock_input)};

const struct endpoint inventory_endpoints[] = {
    {.route = {HTTP_GET, "/v1/items"}, .query = items_query, .may_be_stale = true},
    {.route = {HTTP_GET, "/v1/items/{sku}"}, .query = item_query},
    {.route = {HTTP_PUT, "/v1/items/{sku}"}, .access = ROLE_ADMIN, .input = &item_body,
     .check = putting_check, .command = putting_command},
    {.route = {HTTP_POST, "/v1/items/{sku}/stock"}, .access = ROLE_ADMIN, .idempotent = true, .input = &stock_body,
     .check = stocking_check, .command = stocking_command},
};
const size_t inventory_endpoint_count = sizeof inventory_endpoints / sizeof inventory_endpoints[0];
