/*
 * A FastCGI client for tests: it builds records by hand, well or badly, sends them whole or in any pieces, and reads
 * replies. It does not use the codec it tests.
 *
 * Blocking, with a limit of FCGI_CLIENT_TIMEOUT_MS on each wait. What cannot fail in a sound test (no memory, no
 * descriptor) ends the program.
 */
#ifndef TANDEM_CHECK_HARNESS_FCGI_CLIENT_H
#define TANDEM_CHECK_HARNESS_FCGI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

enum { FCGI_CLIENT_TIMEOUT_MS = 10000 };

/* Record types, as numbered by the specification. */
enum {
    FCGI_BEGIN = 1, FCGI_ABORT, FCGI_END, FCGI_PARAMS, FCGI_STDIN, FCGI_STDOUT, FCGI_STDERR, FCGI_DATA, FCGI_GET_VALUES,
    FCGI_VALUES_RESULT, FCGI_UNKNOWN,
};

enum fcgi_client_manner {
    FCGI_CLIENT_WHOLE,       /* in one write */
    FCGI_CLIENT_BYTES,       /* a byte a write */
    FCGI_CLIENT_RANDOM,      /* pieces of random size, by the client's seed */
};

struct fcgi_client {
    int fd;
    unsigned seed;
    struct buf in;           /* received and not yet read as a record */
};

struct fcgi_record {
    uint8_t type;
    uint16_t id;
    struct text content;     /* valid until the next read */
};

struct fcgi_reply {
    struct buf out;                  /* all of STDOUT */
    int status;                      /* of the Status field, 0 without one */
    struct text head, body;          /* parts of out */
    uint32_t app_status;
    int protocol_status;
    unsigned records;                /* STDOUT records with content */
    bool stream_ended;               /* by an empty STDOUT record */
};

/* A request header, or a CGI variable as it is. */
struct fcgi_client_param {
    const char *name, *value;
};

/** Connects to "unix:/PATH" or "ADDRESS:PORT". False when nobody listens there. */
bool fcgi_client_open(struct fcgi_client *client, const char *address);
void fcgi_client_close(struct fcgi_client *client);

/** False when the other side has gone. */
bool fcgi_client_send(struct fcgi_client *client, struct text bytes, enum fcgi_client_manner manner);

/** The next record. False when the connection ended, or on timeout. */
bool fcgi_client_record(struct fcgi_client *client, struct fcgi_record *ret);

/** Reads records up to END_REQUEST of this id. False when the connection ended before. Do fcgi_reply_fini() always. */
bool fcgi_client_reply(struct fcgi_client *client, uint16_t id, struct fcgi_reply *ret);
void fcgi_reply_fini(struct fcgi_reply *reply);

/** The value of a header in the reply's head, by its exact name; absent when it is not there. */
struct text fcgi_reply_header(const struct fcgi_reply *reply, const char *name);

/** Waits until the other side has closed, passing over what still comes. False on timeout. */
bool fcgi_client_closed(struct fcgi_client *client, int timeout_ms);

/* Records, added to out. */
void fcgi_put_record(struct buf *out, uint8_t type, uint16_t id, struct text content, uint8_t padding);
void fcgi_put_begin(struct buf *out, uint16_t id, uint16_t role, bool keep);
void fcgi_put_pair(struct buf *out, struct text name, struct text value);

/** A whole request: begin, the parameters a front sends (and CONTENT_LENGTH when there is a body), params (may be NULL;
 *  ends with a row without a name), and the body, absent for none. */
void fcgi_put_request(struct buf *out, uint16_t id, bool keep, const char *method, const char *uri,
                      const struct fcgi_client_param *params, struct text body);

/** One request on a connection of its own. headers are by HTTP name ("If-Match"), ending with a row without a name;
 *  NULL for none. False when there was no whole reply. Do fcgi_reply_fini() always. */
bool fcgi_client_call(const char *address, const char *method, const char *uri,
                      const struct fcgi_client_param *headers, struct text body, struct fcgi_reply *ret);

/** The same without headers and body. */
bool fcgi_client_get(const char *address, const char *uri, struct fcgi_reply *ret);

#endif
