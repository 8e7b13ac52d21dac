/*
 * The FastCGI 1.0 wire format: records to bytes and back, and nothing else.
 *
 * The numbers in brackets are sections of the "FastCGI Specification" (Open Market, 29 April 1996, document version
 * 1.0). All integers are big-endian [3.3]. No I/O and no allocation; pure functions: any thread.
 */
#ifndef TANDEM_NET_FCGI_WIRE_H
#define TANDEM_NET_FCGI_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/text.h"

enum {
    FCGI_WIRE_VERSION = 1,
    FCGI_WIRE_HEADER_SIZE = 8,          /* of every record [3.3] */
    FCGI_WIRE_BODY_SIZE = 8,            /* of BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE [5.1, 5.5, 4.2] */
    FCGI_WIRE_CONTENT_MAX = 65535,      /* of one record: its length has 16 bits [3.3] */
    FCGI_WIRE_RECORD_SIZE = FCGI_WIRE_HEADER_SIZE + FCGI_WIRE_BODY_SIZE,
    FCGI_WIRE_PAIR_HEADER_MAX = 8,      /* two lengths of four bytes [3.4] */
};

/* Record types [8]. */
enum fcgi_wire_type {
    FCGI_WIRE_BEGIN_REQUEST = 1,
    FCGI_WIRE_ABORT_REQUEST = 2,
    FCGI_WIRE_END_REQUEST = 3,
    FCGI_WIRE_PARAMS = 4,
    FCGI_WIRE_STDIN = 5,
    FCGI_WIRE_STDOUT = 6,
    FCGI_WIRE_STDERR = 7,
    FCGI_WIRE_DATA = 8,
    FCGI_WIRE_GET_VALUES = 9,
    FCGI_WIRE_GET_VALUES_RESULT = 10,
    FCGI_WIRE_UNKNOWN_TYPE = 11,
};

/* Roles, and the one flag, of BEGIN_REQUEST [5.1]. */
enum { FCGI_WIRE_RESPONDER = 1, FCGI_WIRE_AUTHORIZER = 2, FCGI_WIRE_FILTER = 3, FCGI_WIRE_KEEP_CONN = 1 };

/* The protocol status of END_REQUEST [5.5]. */
enum fcgi_wire_status {
    FCGI_WIRE_REQUEST_COMPLETE = 0,
    FCGI_WIRE_CANT_MPX_CONN = 1,
    FCGI_WIRE_OVERLOADED = 2,
    FCGI_WIRE_UNKNOWN_ROLE = 3,
};

struct fcgi_wire_header {
    uint8_t version;
    uint8_t type;
    uint16_t request_id;       /* 0: a management record [3.3] */
    uint16_t content_length;
    uint8_t padding_length;
};

struct fcgi_wire_begin {
    uint16_t role;
    uint8_t flags;
};

/** A record header from its eight bytes [3.3]; any bytes are a header, the caller checks the version. */
void fcgi_wire_header_decode(const unsigned char in[static FCGI_WIRE_HEADER_SIZE], struct fcgi_wire_header *ret);
void fcgi_wire_header_encode(const struct fcgi_wire_header *header, unsigned char out[static FCGI_WIRE_HEADER_SIZE]);

/** The body of BEGIN_REQUEST [5.1]. */
void fcgi_wire_begin_decode(const unsigned char in[static FCGI_WIRE_BODY_SIZE], struct fcgi_wire_begin *ret);

/** A whole END_REQUEST record [5.5]. */
void fcgi_wire_end_request(uint16_t request_id, uint32_t app_status, enum fcgi_wire_status status,
                           unsigned char out[static FCGI_WIRE_RECORD_SIZE]);

/** A whole UNKNOWN_TYPE record [4.2], which tells that this type of management record is not understood. */
void fcgi_wire_unknown_type(uint8_t type, unsigned char out[static FCGI_WIRE_RECORD_SIZE]);

/**
 * The name-value pair [3.4] at *offset of a stream that may still be growing, since a pair may go across records: the
 * caller gathers record after record and asks again. ERR_AGAIN when the pair is not all there (*offset is untouched);
 * after the stream's end that means it was cut. name and value are views of the stream. At the very end of what is
 * there: ERR_NOT_FOUND.
 */
enum err must_check fcgi_wire_pair_next(struct text stream, size_t *offset, struct text *ret_name,
                                        struct text *ret_value);

/** The two lengths that stand before a pair [3.4], one byte each below 128, else four; returns how many bytes. */
size_t fcgi_wire_pair_header(size_t name_length, size_t value_length,
                             unsigned char out[static FCGI_WIRE_PAIR_HEADER_MAX]);

/* What this application says of itself [4.1]. */
struct fcgi_wire_values {
    unsigned max_conns, max_reqs;
    bool mpxs_conns;
};

enum { FCGI_WIRE_VALUES_RESULT_MAX = 128 };

/**
 * A whole GET_VALUES_RESULT record [4.1] that answers the names in query, the content of a GET_VALUES record. Names
 * that are not known are left out, as the specification asks; one that is asked for twice is answered once. Returns
 * the record's size. ERR_MALFORMED when query is not pairs.
 */
enum err must_check fcgi_wire_values_result(struct text query, const struct fcgi_wire_values *values,
                                            unsigned char out[static FCGI_WIRE_VALUES_RESULT_MAX], size_t *ret_size);

#endif
