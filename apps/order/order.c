#include "config.h"

#include <assert.h>

#include "apps/order/order.h"
#include "base/id.h"
#include "events/event.h"

/* What order_write_placed() writes, at its longest. A known sku has no character that JSON escapes. */
enum {
    PLACED_LINE_BYTES = sizeof "{\"sku\":\"\",\"quantity\":9223372036854775807}," + SKU_MAX,
    PLACED_HEAD_BYTES = sizeof "{\"order_id\":\"\",\"user_id\":\"\",\"lines\":[]}" + 2 * ID_LENGTH,
};
static_assert(PLACED_HEAD_BYTES + ORDER_LINES_MAX * PLACED_LINE_BYTES <= EVENT_MAX_BYTES - EVENT_ENVELOPE_BYTES,
              "the largest order fits an event");

static const char *const state_names[ORDER_STATES] = {
    [ORDER_PLACED] = "placed",
    [ORDER_RESERVED] = "reserved",
    [ORDER_PAID] = "paid",
    [ORDER_SHIPPED] = "shipped",
    [ORDER_REJECTED] = "rejected",
    [ORDER_CANCELLED] = "cancelled",
};

const char *order_state_name(enum order_state state)
{
    return state_names[state];
}

enum order_state order_state_of(struct text name)
{
    for (unsigned i = ORDER_PLACED; i < ORDER_STATES; i++) {
        if (text_equal_string(name, state_names[i]))
            return (enum order_state)i;
    }
    return ORDER_NEW;
}

static void write_money(struct json_writer *writer, const char *key, struct money money)
{
    json_key(writer, key);
    json_object_begin(writer);
    json_member_integer(writer, "amount_minor", money.amount_minor);
    json_member_string(writer, "currency", money.currency->code);
    json_object_end(writer);
}

static void write_line(struct json_writer *writer, const struct order_line *line)
{
    json_object_begin(writer);
    json_member_text(writer, "sku", line->sku);
    json_member_text(writer, "name", line->name);
    json_member_integer(writer, "quantity", line->quantity);
    write_money(writer, "unit_price", line->unit_price);
    write_money(writer, "total", line->total);
    json_object_end(writer);
}

void order_write(struct json_writer *writer, const struct order *order)
{
    json_object_begin(writer);
    json_member_text(writer, "id", order->id);
    json_member_text(writer, "user_id", order->user_id);
    json_member_string(writer, "status", order_state_name(order->state));
    json_key(writer, "lines");
    json_array_begin(writer);
    for (size_t i = 0; i < order->line_count; i++)
        write_line(writer, &order->lines[i]);
    json_array_end(writer);
    write_money(writer, "total", order->total);
    json_member_text(writer, "payment_method", secret_reveal(order->payment_method));
    json_member_time(writer, "created_at", order->created_us);
    json_member_time(writer, "updated_at", order->updated_us);
    json_member_integer(writer, "version", order->version);
    json_object_end(writer);
}

void order_step_write(struct json_writer *writer, const struct order_step *step)
{
    json_object_begin(writer);
    json_member_text(writer, "from", text_of(order_state_name(step->from)));
    json_member_string(writer, "to", order_state_name(step->to));
    json_member_text(writer, "cause", step->cause);
    json_member_time(writer, "at", step->at_us);
    json_object_end(writer);
}

void order_write_placed(struct json_writer *writer, const struct order *order)
{
    json_object_begin(writer);
    json_member_text(writer, "order_id", order->id);
    json_member_text(writer, "user_id", order->user_id);
    json_key(writer, "lines");
    json_array_begin(writer);
    for (size_t i = 0; i < order->line_count; i++) {
        json_object_begin(writer);
        json_member_text(writer, "sku", order->lines[i].sku);
        json_member_integer(writer, "quantity", order->lines[i].quantity);
        json_object_end(writer);
    }
    json_array_end(writer);
    json_object_end(writer);
}
