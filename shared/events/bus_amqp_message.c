#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "events/bus_amqp_link.h"
#include "events/bus_amqp_message.h"

enum { PERSISTENT = 2, SHORT_MAX = 255, QUOTED_BYTES = 16 * 1024 };

amqp_basic_properties_t bus_amqp_properties(const struct event *event)
{
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TYPE_FLAG
                | AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type = amqp_cstring_bytes("application/cloudevents+json; charset=UTF-8"),
        .delivery_mode = PERSISTENT,
        .type = bus_amqp_bytes(event->type),
        .timestamp = (uint64_t)(event->time_us / US_PER_S),
    };
    if (event->id.length <= SHORT_MAX) {
        properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        properties.message_id = bus_amqp_bytes(event->id);
    }
    return properties;
}

struct text bus_amqp_type(const amqp_basic_properties_t *properties)
{
    return properties->_flags & AMQP_BASIC_TYPE_FLAG ? bus_amqp_text(properties->type) : TEXT_NONE;
}

bool bus_amqp_is_of(struct text type, const char *const *types)
{
    struct text family = event_family(type);
    for (size_t i = 0; types[i]; i++)
        if (text_equal_string(type, types[i]) || (family.at && text_equal_string(family, types[i])))
            return true;
    return false;
}

struct text bus_amqp_death(const amqp_basic_properties_t *properties)
{
    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return TEXT_NONE;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (text_equal_string(bus_amqp_text(entry->key), "x-first-death-reason")
            && entry->value.kind == AMQP_FIELD_KIND_UTF8)
            return bus_amqp_text(entry->value.value.bytes);
    }
    return TEXT_NONE;
}

/* What is not text is not kept; who sent it has to see to it. */
static struct text quoted(struct text body, struct arena *arena)
{
    struct json_writer writer;
    struct buf out;
    buf_init(&out, EVENT_MAX_BYTES);
    json_writer_init(&writer, &out);
    struct text quote = body;
    if (quote.length > QUOTED_BYTES) {
        quote.length = QUOTED_BYTES;
        while (quote.length > 0 && ((unsigned char)quote.at[quote.length] & 0xc0) == 0x80)
            quote.length--;
    }
    json_text(&writer, text_is_utf8(quote) ? quote : TEXT("(not text)"));
    struct text copy = buf_check(&out) ? TEXT_NONE : arena_text(arena, buf_text(&out));
    buf_fini(&out);
    return copy;
}

enum err bus_amqp_unreadable(struct text body, struct arena *arena, struct event *ret)
{
    char digest[TOKEN_DIGEST_SIZE];
    struct event event = {
        .id = arena_text(arena, text_of(digest_hex(body, digest))),
        .type = TEXT("unreadable"),
        .source = TEXT("/unknown"),
        .subject = TEXT("unreadable"),
        .time_us = clock_wall_us(),
        .data = quoted(body, arena),
    };
    if (!event.id.at || !event.data.at)
        return err_because(ERR_MEMORY, "an event that cannot be read does not fit");
    *ret = event;
    return ERR_NONE;
}
