/*
 * A response on the wire: a byte stream in STDOUT records, its end, and END_REQUEST, as an I/O vector.
 *
 * The whole is never put together in memory. It is a function of the offset: given how much has left already, it
 * fills vectors that point at the caller's bytes and at record headers made on the spot, so that a response of any size
 * costs nothing while its reader is slow, and a small one leaves in one call. Pure functions: any thread.
 */
#ifndef TANDEM_NET_FCGI_STDOUT_H
#define TANDEM_NET_FCGI_STDOUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/text.h"
#include "net/fcgi_wire.h"

enum {
    FCGI_STDOUT_RECORD_MAX = 65528,      /* the content of one record: the largest multiple of 8 that it can have */
    FCGI_STDOUT_BATCH = 16,              /* records in one vector */
    FCGI_STDOUT_VECTORS = FCGI_STDOUT_BATCH * 3 + 1,
    FCGI_STDOUT_TAIL_SIZE = FCGI_WIRE_HEADER_SIZE + FCGI_WIRE_RECORD_SIZE,
};

struct fcgi_stdout {
    uint16_t request_id;
    struct text head, payload;           /* the content, one after the other; the caller's until all is sent */
};

/* What the vectors of one batch point into; must live as long as they do. */
struct fcgi_stdout_batch {
    struct iovec vectors[FCGI_STDOUT_VECTORS];
    unsigned count;
    size_t size;                         /* sum of the vectors */
    unsigned char headers[FCGI_STDOUT_BATCH][FCGI_WIRE_HEADER_SIZE];
    unsigned char tail[FCGI_STDOUT_TAIL_SIZE];
};

/** How many bytes it is on the wire, with the empty record that ends the stream and END_REQUEST. */
size_t fcgi_stdout_size(const struct fcgi_stdout *response);

/** Fills a batch with what follows the first offset bytes; offset is below fcgi_stdout_size(). */
void fcgi_stdout_batch(const struct fcgi_stdout *response, size_t offset, struct fcgi_stdout_batch *ret);

#endif
