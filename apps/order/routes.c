#include "config.h"

#include "app/call_trace.h"
#include "app/service.h"
#include "apps/order/app.h"
#include "apps/order/events.h"
#include "apps/order/place.h"
#include "apps/order/routes.h"
#include "apps/order/store.h"
#include "apps/order/workflow.h"
#include "base/clock.h"

/* ---- what several have in common ---- */

static bool is_owner(const struct call *call, const struct order *order)
{
    return text_equal_string(order->user_id, call->caller.user_id);
}

/* An order that somebody else may not know of is not there. */
static enum err find_visible(struct call *call, struct order *ret)
{
    struct order order;
    enum err err = store_order_find(call->db, call_arena(call), call_path(call, "id"), &order);
    if (err)
        return err;
    if (!is_owner(call, &order) && !call_has_role(call, ROLE_ADMIN | ROLE_SERVICE))
        return ERR_NOT_FOUND;
    *ret = order;
    return ERR_NONE;
}

static void answer_order(struct call *call, int status, const struct order *order)
{
    struct json_writer writer;
    call_header(call, "ETag", "\"%lld\"", (long long)order->version);
    call_header(call, "Cache-Control", "private, no-cache");
    call_json(call, status, &writer);
    order_write(&writer, order);
}

/* ---- POST /v1/orders ---- */

/* Where the gateway has no default of its own, and there is something to pay. */
static enum err check_method(struct call *call, const struct order *order)
{
    const struct order_app *app = call_app(call);
    if (secret_is_given(order->payment_method) || order->total.amount_minor == 0 || !payment_needs_method(app->payment))
        return ERR_NONE;
    return call_fault(call, "/payment_method", "is missing: the payment gateway's token for how the order is paid");
}

static enum err placing_check(struct call *call)
{
    const struct place_limits limits = {
        .lines_max = call_setting(call, OPTION_ORDER_LINES_MAX),
        .quantity_max = call_setting(call, OPTION_ORDER_QUANTITY_MAX),
    };
    return place_check(call->input, &limits, call_arena(call), call->faults);
}

static enum err placing_command(struct call *call)
{
    const struct place_input *input = call->input;
    char *id = arena_alloc(call_arena(call), ID_SIZE);
    if (!id)
        return err_because(ERR_MEMORY, "no memory for an order");
    struct order_change change = {
        .db = call->db,
        .emit = order_emit_event,
        .emitter = call->service,
        .event = ORDER_PLACE,
        .cause = TEXT("placed"),
        .now_us = clock_wall_us(),
        .origin = {call->request_id, call->traceparent, call->tracestate},
    };
    struct order order = {
        .id = text_of(id_new(id)),
        .user_id = text_of(call->caller.user_id),
        .payment_method = input->payment_method,
        .created_us = change.now_us,
    };
    bool applied;
    call_trace_text(call, "tandem.order.id", order.id);
    call->faults->count = 0;
    enum err err = place_price(call->db, input, call_arena(call), call->faults, &order);
    if (!err)
        err = check_method(call, &order);
    if (!err)
        err = order_apply(&change, &order, &applied);
    if (err)
        return err;
    call_header(call, "Location", "/v1/orders/%s", id);
    answer_order(call, 201, &order);
    return ERR_NONE;
}

/* ---- GET /v1/orders/{id} ---- */

static enum err order_query(struct call *call)
{
    struct order order;
    enum err err = find_visible(call, &order);
    if (!err)
        answer_order(call, 200, &order);
    return err;
}

/* ---- GET /v1/orders ---- */

static enum err read_status(struct call *call, struct order_filter *filter)
{
    struct text status;
    enum err err = http_query(&call->exchange->request, "status", &status);
    if (err || !status.at)
        return err;
    filter->state = order_state_of(status);
    if (filter->state == ORDER_NEW)
        return call_refuse(call, ERR_INVALID, NULL,
                           "status is placed, reserved, paid, shipped, rejected or cancelled.");
    return ERR_NONE;
}

/* Whose orders: an administrator's list is everybody's, unless one user is asked for; all others see their own. */
static enum err read_owner(struct call *call, struct order_filter *filter)
{
    struct text own = text_of(call->caller.user_id), user_id;
    bool is_admin = call_has_role(call, ROLE_ADMIN);
    enum err err = http_query(&call->exchange->request, "user_id", &user_id);
    if (err)
        return err;
    if (!is_admin && user_id.at && !text_equal(user_id, own))
        return call_refuse(call, ERR_FORBIDDEN, NULL, "Only administrators may list the orders of others.");
    filter->user_id = is_admin ? user_id : own;
    return ERR_NONE;
}

static enum err orders_query(struct call *call)
{
    struct order_filter filter = {.state = ORDER_NEW};
    struct page page;
    struct order *orders;
    struct json_writer writer;
    size_t count;
    bool more;
    enum err err = call_page(call, &page);
    if (!err)
        err = read_status(call, &filter);
    if (!err)
        err = read_owner(call, &filter);
    if (err)
        return err;
    filter.before = page.after;
    filter.limit = page.limit;
    err = store_order_list(call->db, call_arena(call), &filter, &orders, &count, &more);
    if (err)
        return err;
    call_header(call, "Cache-Control", "private, no-cache");
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_key(&writer, "items");
    json_array_begin(&writer);
    for (size_t i = 0; i < count; i++)
        order_write(&writer, &orders[i]);
    json_array_end(&writer);
    call_page_next(call, &writer, more ? orders[count - 1].id : TEXT_NONE);
    json_object_end(&writer);
    return ERR_NONE;
}

/* ---- GET /v1/orders/{id}/history ---- */

static enum err history_query(struct call *call)
{
    struct order order;
    struct order_step *steps = NULL;
    struct json_writer writer;
    size_t count = 0;
    enum err err = find_visible(call, &order);
    if (!err)
        err = store_step_list(call->db, call_arena(call), order.id, &steps, &count);
    if (err)
        return err;
    call_header(call, "Cache-Control", "private, no-cache");
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_key(&writer, "items");
    json_array_begin(&writer);
    for (size_t i = 0; i < count; i++)
        order_step_write(&writer, &steps[i]);
    json_array_end(&writer);
    json_object_end(&writer);
    return ERR_NONE;
}

/* ---- POST /v1/orders/{id}/cancel ---- */

static enum err refuse_cancel(struct call *call, const struct order *order)
{
    return call_refuse(call, ERR_CONFLICT, "not-cancellable",
                       arena_printf(call_arena(call), "The order is %s; only placed or reserved ones can be cancelled.",
                                    order_state_name(order->state)));
}

static enum err cancel_command(struct call *call)
{
    struct order order;
    bool applied = false;
    enum err err = find_visible(call, &order);
    if (err)
        return err;
    bool by_owner = is_owner(call, &order);
    if (!by_owner && !call_has_role(call, ROLE_ADMIN))
        return call_refuse(call, ERR_FORBIDDEN, NULL, "Only its owner or an administrator may cancel an order.");
    struct order_change change = {
        .db = call->db,
        .emit = order_emit_event,
        .emitter = call->service,
        .event = ORDER_CANCEL,
        .cause = by_owner ? TEXT("cancelled by customer") : TEXT("cancelled by administrator"),
        .now_us = clock_wall_us(),
        .origin = {call->request_id, call->traceparent, call->tracestate},
    };
    call_trace_text(call, "tandem.order.id", order.id);
    err = order_apply(&change, &order, &applied);
    if (err)
        return err;
    if (!applied)
        return refuse_cancel(call, &order);
    answer_order(call, 200, &order);
    return ERR_NONE;
}

/* ---- the table ---- */

static const struct input placing_body = {place_fields, sizeof(struct place_input)};

const struct endpoint order_endpoints[] = {
    {.route = {HTTP_POST, "/v1/orders"}, .access = ROLE_ANY, .idempotent = true, .input = &placing_body,
     .check = placing_check, .command = placing_command},
    {.route = {HTTP_GET, "/v1/orders"}, .access = ROLE_ANY, .query = orders_query},
    {.route = {HTTP_GET, "/v1/orders/{id}"}, .access = ROLE_ANY, .query = order_query},
    {.route = {HTTP_GET, "/v1/orders/{id}/history"}, .access = ROLE_ANY, .query = history_query},
    {.route = {HTTP_POST, "/v1/orders/{id}/cancel"}, .access = ROLE_ANY, .command = cancel_command},
    {.route = {HTTP_POST, "/v1/payments/events"}, .check = payment_events_check, .command = payment_events_command},
};
const size_t order_endpoint_count = sizeof order_endpoints / sizeof order_endpoints[0];
