#include "config.h"

#include <assert.h>

#include "net/fcgi_stdout.h"

enum { RECORD_SPAN = FCGI_WIRE_HEADER_SIZE + FCGI_STDOUT_RECORD_MAX };

static size_t content_size(const struct fcgi_stdout *response)
{
    return response->head.length + response->payload.length;
}

/* Where the tail begins: after the records, each with its header. */
static size_t records_size(const struct fcgi_stdout *response)
{
    size_t content = content_size(response);
    size_t records = (content + FCGI_STDOUT_RECORD_MAX - 1) / FCGI_STDOUT_RECORD_MAX;
    return content + records * FCGI_WIRE_HEADER_SIZE;
}

size_t fcgi_stdout_size(const struct fcgi_stdout *response)
{
    return records_size(response) + FCGI_STDOUT_TAIL_SIZE;
}

static void vector_add(struct fcgi_stdout_batch *batch, const void *at, size_t length)
{
    if (!length)
        return;
    batch->vectors[batch->count++] = (struct iovec){.iov_base = (void *)at, .iov_len = length};
    batch->size += length;
}

static void header_make(const struct fcgi_stdout *response, size_t content_length, unsigned char *out)
{
    struct fcgi_wire_header header = {
        .version = FCGI_WIRE_VERSION,
        .type = FCGI_WIRE_STDOUT,
        .request_id = response->request_id,
        .content_length = (uint16_t)content_length,
    };
    fcgi_wire_header_encode(&header, out);
}

/* The content bytes [from, to), which may lie in the head, in the payload, or across both. */
static void content_add(const struct fcgi_stdout *response, size_t from, size_t to, struct fcgi_stdout_batch *batch)
{
    size_t head = response->head.length;
    if (from < head) {
        size_t end = to < head ? to : head;
        vector_add(batch, response->head.at + from, end - from);
        from = end;
    }
    if (from < to)
        vector_add(batch, response->payload.at + (from - head), to - from);
}

/* What is left of the record that offset falls into; returns its length. */
static size_t record_add(const struct fcgi_stdout *response, size_t offset, unsigned char *header,
                         struct fcgi_stdout_batch *batch)
{
    size_t inside = offset % RECORD_SPAN;
    size_t begin = offset / RECORD_SPAN * FCGI_STDOUT_RECORD_MAX;
    size_t end = content_size(response);
    if (end - begin > FCGI_STDOUT_RECORD_MAX)
        end = begin + FCGI_STDOUT_RECORD_MAX;
    size_t span = FCGI_WIRE_HEADER_SIZE + (end - begin);
    header_make(response, end - begin, header);
    if (inside < FCGI_WIRE_HEADER_SIZE) {
        vector_add(batch, header + inside, FCGI_WIRE_HEADER_SIZE - inside);
        content_add(response, begin, end, batch);
    } else {
        content_add(response, begin + (inside - FCGI_WIRE_HEADER_SIZE), end, batch);
    }
    return span - inside;
}

void fcgi_stdout_batch(const struct fcgi_stdout *response, size_t offset, struct fcgi_stdout_batch *ret)
{
    size_t tail = records_size(response);
    assert(offset < tail + FCGI_STDOUT_TAIL_SIZE);
    ret->count = 0;
    ret->size = 0;
    for (unsigned i = 0; i < FCGI_STDOUT_BATCH && offset < tail; i++)
        offset += record_add(response, offset, ret->headers[i], ret);
    if (offset < tail)
        return;
    header_make(response, 0, ret->tail);
    fcgi_wire_end_request(response->request_id, 0, FCGI_WIRE_REQUEST_COMPLETE, ret->tail + FCGI_WIRE_HEADER_SIZE);
    vector_add(ret, ret->tail + (offset - tail), FCGI_STDOUT_TAIL_SIZE - (offset - tail));
}
