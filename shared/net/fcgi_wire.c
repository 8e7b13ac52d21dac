#include "config.h"

#include <stdio.h>
#include <string.h>

#include "net/fcgi_wire.h"

static uint16_t get_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put_u16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static void put_u32(unsigned char *at, uint32_t value)
{
    put_u16(at, (uint16_t)(value >> 16));
    put_u16(at + 2, (uint16_t)value);
}

void fcgi_wire_header_decode(const unsigned char in[static FCGI_WIRE_HEADER_SIZE], struct fcgi_wire_header *ret)
{
    ret->version = in[0];
    ret->type = in[1];
    ret->request_id = get_u16(in + 2);
    ret->content_length = get_u16(in + 4);
    ret->padding_length = in[6];
}

void fcgi_wire_header_encode(const struct fcgi_wire_header *header, unsigned char out[static FCGI_WIRE_HEADER_SIZE])
{
    out[0] = header->version;
    out[1] = header->type;
    put_u16(out + 2, header->request_id);
    put_u16(out + 4, header->content_length);
    out[6] = header->padding_length;
    out[7] = 0;
}

void fcgi_wire_begin_decode(const unsigned char in[static FCGI_WIRE_BODY_SIZE], struct fcgi_wire_begin *ret)
{
    ret->role = get_u16(in);
    ret->flags = in[2];
}

static void header_put(unsigned char *out, uint8_t type, uint16_t request_id, size_t content_length)
{
    struct fcgi_wire_header header = {
        .version = FCGI_WIRE_VERSION,
        .type = type,
        .request_id = request_id,
        .content_length = (uint16_t)content_length,
    };
    fcgi_wire_header_encode(&header, out);
}

void fcgi_wire_end_request(uint16_t request_id, uint32_t app_status, enum fcgi_wire_status status,
                           unsigned char out[static FCGI_WIRE_RECORD_SIZE])
{
    header_put(out, FCGI_WIRE_END_REQUEST, request_id, FCGI_WIRE_BODY_SIZE);
    memset(out + FCGI_WIRE_HEADER_SIZE, 0, FCGI_WIRE_BODY_SIZE);
    put_u32(out + FCGI_WIRE_HEADER_SIZE, app_status);
    out[FCGI_WIRE_HEADER_SIZE + 4] = (unsigned char)status;
}

void fcgi_wire_unknown_type(uint8_t type, unsigned char out[static FCGI_WIRE_RECORD_SIZE])
{
    header_put(out, FCGI_WIRE_UNKNOWN_TYPE, 0, FCGI_WIRE_BODY_SIZE);
    memset(out + FCGI_WIRE_HEADER_SIZE, 0, FCGI_WIRE_BODY_SIZE);
    out[FCGI_WIRE_HEADER_SIZE] = type;
}

/* One length [3.4]: a byte below 128, else four bytes with the top bit set. False when it is cut. */
static bool length_get(struct text stream, size_t *offset, size_t *ret)
{
    const unsigned char *at = (const unsigned char *)stream.at + *offset;
    size_t left = stream.length - *offset;
    if (left >= 1 && at[0] < 0x80) {
        *ret = at[0];
        *offset += 1;
        return true;
    }
    if (left < 4)
        return false;
    *ret = (size_t)(at[0] & 0x7f) << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    *offset += 4;
    return true;
}

static size_t length_put(unsigned char *out, size_t length)
{
    if (length < 0x80) {
        out[0] = (unsigned char)length;
        return 1;
    }
    put_u32(out, (uint32_t)length | UINT32_C(0x80000000));
    return 4;
}

enum err fcgi_wire_pair_next(struct text stream, size_t *offset, struct text *ret_name, struct text *ret_value)
{
    size_t at = *offset, name_length, value_length;
    if (at == stream.length)
        return ERR_NOT_FOUND;
    if (!length_get(stream, &at, &name_length) || !length_get(stream, &at, &value_length))
        return ERR_AGAIN;
    /* neither sum overflows: a length has 31 bits, and a stream's length is that of an object in memory */
    if (stream.length - at < name_length || stream.length - at - name_length < value_length)
        return ERR_AGAIN;
    *ret_name = (struct text){stream.at + at, name_length};
    *ret_value = (struct text){stream.at + at + name_length, value_length};
    *offset = at + name_length + value_length;
    return ERR_NONE;
}

size_t fcgi_wire_pair_header(size_t name_length, size_t value_length,
                             unsigned char out[static FCGI_WIRE_PAIR_HEADER_MAX])
{
    size_t size = length_put(out, name_length);
    return size + length_put(out + size, value_length);
}

enum { VALUE_MAX_CONNS, VALUE_MAX_REQS, VALUE_MPXS_CONNS, VALUE_COUNT };

static const char *const value_names[VALUE_COUNT] = {
    [VALUE_MAX_CONNS] = "FCGI_MAX_CONNS",
    [VALUE_MAX_REQS] = "FCGI_MAX_REQS",
    [VALUE_MPXS_CONNS] = "FCGI_MPXS_CONNS",
};

static enum err values_asked(struct text query, bool asked[static VALUE_COUNT])
{
    struct text name, value;
    size_t offset = 0;
    enum err err;
    while ((err = fcgi_wire_pair_next(query, &offset, &name, &value)) == ERR_NONE)
        for (size_t i = 0; i < VALUE_COUNT; i++)
            asked[i] |= text_equal_string(name, value_names[i]);
    return err == ERR_NOT_FOUND ? ERR_NONE : err_because(ERR_MALFORMED, "FCGI_GET_VALUES has a pair that is cut");
}

enum err fcgi_wire_values_result(struct text query, const struct fcgi_wire_values *values,
                                 unsigned char out[static FCGI_WIRE_VALUES_RESULT_MAX], size_t *ret_size)
{
    const unsigned numbers[VALUE_COUNT] = {values->max_conns, values->max_reqs, values->mpxs_conns};
    bool asked[VALUE_COUNT] = {false};
    size_t size = FCGI_WIRE_HEADER_SIZE;
    enum err err = values_asked(query, asked);
    if (err)
        return err;
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        if (!asked[i])
            continue;
        char number[16];
        size_t name_length = strlen(value_names[i]);
        size_t number_length = (size_t)snprintf(number, sizeof number, "%u", numbers[i]);
        size += fcgi_wire_pair_header(name_length, number_length, out + size);
        memcpy(out + size, value_names[i], name_length);
        memcpy(out + size + name_length, number, number_length);
        size += name_length + number_length;
    }
    header_put(out, FCGI_WIRE_GET_VALUES_RESULT, 0, size - FCGI_WIRE_HEADER_SIZE);
    *ret_size = size;
    return ERR_NONE;
}
