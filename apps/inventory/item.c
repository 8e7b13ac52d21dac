#include "config.h"

#include <string.h>

#include "apps/inventory/item.h"

bool item_sku_is_valid(struct text sku)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (sku.length == 0 || sku.length > SKU_MAX)
        return false;
    for (size_t i = 0; i < sku.length; i++) {
        if (!memchr(allowed, sku.at[i], sizeof allowed - 1))
            return false;
    }
    return true;
}

bool item_currency_is_valid(struct text code)
{
    return currency_find(code) != NULL;
}

static void write_price(struct json_writer *writer, struct money price)
{
    json_key(writer, "price");
    json_object_begin(writer);
    json_member_integer(writer, "amount_minor", price.amount_minor);
    json_member_string(writer, "currency", price.currency->code);
    json_object_end(writer);
}

void item_write(struct json_writer *writer, const struct item *item)
{
    json_object_begin(writer);
    json_member_text(writer, "sku", item->sku);
    json_member_text(writer, "name", item->name);
    write_price(writer, item->price);
    json_key(writer, "stock");
    json_object_begin(writer);
    json_member_integer(writer, "on_hand", item->on_hand);
    json_member_integer(writer, "reserved", item->reserved);
    json_member_integer(writer, "available", item->on_hand - item->reserved);
    json_object_end(writer);
    json_member_integer(writer, "version", item->version);
    json_member_time(writer, "updated_at", item->updated_us);
    json_object_end(writer);
}

void item_write_changed(struct json_writer *writer, const struct item *item)
{
    json_object_begin(writer);
    json_member_text(writer, "sku", item->sku);
    json_member_text(writer, "name", item->name);
    write_price(writer, item->price);
    json_member_integer(writer, "version", item->version);
    json_object_end(writer);
}
