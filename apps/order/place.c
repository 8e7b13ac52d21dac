#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "apps/order/card_number.h"
#include "apps/order/place.h"
#include "apps/order/store.h"

/* The ceilings are settings; place_check() knows them. */
static const struct json_field line_fields[] = {
    {.name = "sku", .type = JSON_TEXT, .required = true, .min = 1, .max = SKU_MAX,
     .offset = offsetof(struct place_line, sku)},
    {.name = "quantity", .type = JSON_INTEGER, .required = true, .min = 1, .max = INT64_MAX,
     .offset = offsetof(struct place_line, quantity)},
    {.name = NULL},
};

const struct json_field place_fields[] = {
    {.name = "lines", .type = JSON_ARRAY, .required = true, .min = 1, .fields = line_fields,
     .element_size = sizeof(struct place_line), .offset = offsetof(struct place_input, lines)},
    {.name = "payment_method", .type = JSON_SECRET, .min = 1, .max = PAYMENT_METHOD_MAX,
     .accepts = place_method_is_valid,
     .rule = "must be the payment gateway's token, printable ASCII without spaces, and never a card number",
     .offset = offsetof(struct place_input, payment_method)},
    {.name = NULL},
};

bool place_method_is_valid(struct text method)
{
    return method.length > 0 && method.length <= PAYMENT_METHOD_MAX && text_is_visible_ascii(method) &&
           !has_card_number(method);
}

/* ---- faults ---- */

static enum err fault_at(struct json_faults *faults, struct arena *arena, size_t line, const char *member,
                         const char *reason)
{
    const char *pointer = arena_printf(arena, "/lines/%zu/%s", line, member);
    if (!pointer || !reason)
        return err_because(ERR_MEMORY, "no memory to say what is wrong with an order");
    json_fault_add(faults, text_of(pointer), reason);
    return ERR_NONE;
}

/* ---- rules that need no data ---- */

static enum err check_quantities(const struct place_line *lines, size_t count, int64_t most, struct arena *arena,
                                 struct json_faults *faults)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; i < count && !err; i++) {
        if (lines[i].quantity > most)
            err = fault_at(faults, arena, i, "quantity",
                           arena_printf(arena, "must be from 1 to %lld", (long long)most));
    }
    return err;
}

static int compare_lines(const void *left, const void *right)
{
    const struct place_line *a = *(const struct place_line *const *)left, *b = *(const struct place_line *const *)right;
    size_t shorter = a->sku.length < b->sku.length ? a->sku.length : b->sku.length;
    int order = memcmp(a->sku.at, b->sku.at, shorter);
    if (order == 0)
        order = (a->sku.length > b->sku.length) - (a->sku.length < b->sku.length);
    return order ? order : (a > b) - (a < b);
}

/* Sorted, so that ten thousand lines are no burden either. */
static enum err check_repeats(const struct place_line *lines, size_t count, struct arena *arena,
                              struct json_faults *faults)
{
    const struct place_line **sorted = arena_alloc(arena, count * sizeof *sorted);
    enum err err = ERR_NONE;
    if (!sorted)
        return err_because(ERR_MEMORY, "no memory to compare the lines of an order");
    for (size_t i = 0; i < count; i++)
        sorted[i] = &lines[i];
    qsort(sorted, count, sizeof *sorted, compare_lines);
    for (size_t i = 1; i < count && !err; i++) {
        if (text_equal(sorted[i]->sku, sorted[i - 1]->sku))
            err = fault_at(faults, arena, (size_t)(sorted[i] - lines), "sku", "is on another line already");
    }
    return err;
}

enum err place_check(const struct place_input *input, const struct place_limits *limits, struct arena *arena,
                     struct json_faults *faults)
{
    const struct place_line *lines = input->lines.elements;
    size_t count = input->lines.count;
    enum err err = ERR_NONE;
    if (count > (size_t)limits->lines_max) {
        const char *reason = arena_printf(arena, "must have 1 to %lld elements", (long long)limits->lines_max);
        if (!reason)
            return err_because(ERR_MEMORY, "no memory to say what is wrong with an order");
        json_fault_add(faults, TEXT("/lines"), reason);
        return ERR_INVALID;
    }
    err = check_quantities(lines, count, limits->quantity_max, arena, faults);
    if (!err)
        err = check_repeats(lines, count, arena, faults);
    return err ? err : faults->count > 0 ? ERR_INVALID : ERR_NONE;
}

/* ---- prices ---- */

/* Fills one line and adds it to the total; what is wrong with it is a fault. */
static enum err price_line(struct db_connection *db, const struct place_line *wanted, size_t at, struct arena *arena,
                           struct json_faults *faults, struct order *order)
{
    struct order_line *line = &order->lines[at];
    struct known_item item;
    enum err err = store_item_find(db, arena, wanted->sku, &item);
    if (err == ERR_NOT_FOUND)
        return fault_at(faults, arena, at, "sku", "unknown item");
    if (err)
        return err;
    *line = (struct order_line){item.sku, item.name, wanted->quantity, item.price, item.price};
    if (!order->total.currency)
        order->total.currency = item.price.currency;
    if (order->total.currency != item.price.currency)
        return fault_at(faults, arena, at, "sku", "is priced in another currency than the lines before");
    if (money_multiply(item.price, wanted->quantity, &line->total) != ERR_NONE ||
        money_add(order->total, line->total, &order->total) != ERR_NONE)
        return fault_at(faults, arena, at, "quantity", "makes the total too large");
    return ERR_NONE;
}

enum err place_price(struct db_connection *db, const struct place_input *input, struct arena *arena,
                     struct json_faults *faults, struct order *order)
{
    const struct place_line *wanted = input->lines.elements;
    enum err err = ERR_NONE;
    order->line_count = input->lines.count;
    order->lines = arena_calloc(arena, order->line_count, sizeof order->lines[0]);
    order->total = (struct money){0, NULL};
    if (!order->lines)
        return err_because(ERR_MEMORY, "no memory for the lines of an order");
    for (size_t i = 0; i < order->line_count && !err; i++)
        err = price_line(db, &wanted[i], i, arena, faults, order);
    return err ? err : faults->count > 0 ? ERR_INVALID : ERR_NONE;
}
