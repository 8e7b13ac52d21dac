#include "config.h"

#include <string.h>

#include "app/idempotency.h"
#include "base/clock.h"

/* Half a SHA-256 names a key and its caller well enough, and keeps the index compact. */
enum { LOOKUP_LENGTH = 32, SWEEP_ROWS = 200 };

static const char RECALL[] = "SELECT digest, status, headers, body FROM idempotency WHERE lookup = $1";
static const char REMEMBER[] =
    "INSERT INTO idempotency (lookup, caller, key, digest, status, headers, body, created_us)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
static const char SWEEP[] =
    "DELETE FROM idempotency WHERE created_us < $1 AND id IN (SELECT id FROM idempotency ORDER BY id LIMIT $2)";

/* RFC 8941 strings have quotes around them; a bare token is what most clients send. */
static struct text unquote(struct text value)
{
    if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"')
        return (struct text){value.at + 1, value.length - 2};
    return value;
}

/* Neither a caller's id nor a key can hold the separator, so no two pairs share a name. */
static enum err name_claim(struct call *call)
{
    struct buf name;
    buf_init(&name, ID_SIZE + 1 + IDEMPOTENCY_KEY_MAX);
    buf_add_string(&name, call->caller.user_id);
    buf_add_char(&name, '\n');
    buf_add_text(&name, call->idempotency_key);
    digest_hex(buf_text(&name), call->claim.lookup);
    enum err err = buf_check(&name);
    buf_fini(&name);
    return err;
}

static struct text lookup_of(const struct call *call)
{
    return (struct text){call->claim.lookup, LOOKUP_LENGTH};
}

/* Which of two it is that a repeat would be known by, nobody could say. */
static bool is_given_twice(const struct http_request *request)
{
    size_t count = 0;
    for (size_t i = 0; i < request->param_count; i++)
        count += text_equal_string(request->params[i].name, "HTTP_IDEMPOTENCY_KEY");
    return count > 1;
}

enum err idempotency_key(struct call *call)
{
    struct text given = http_header(&call->exchange->request, "Idempotency-Key");
    if (!given.at)
        return call_refuse(call, ERR_MALFORMED, "idempotency-key-missing",
                           "This request needs an Idempotency-Key header, unique to it, so that it may be repeated.");
    struct text key = unquote(text_trim(given));
    bool is_well = key.length > 0 && key.length <= IDEMPOTENCY_KEY_MAX && text_is_visible_ascii(key);
    if (!is_well || is_given_twice(&call->exchange->request))
        return call_refuse(call, ERR_MALFORMED, "idempotency-key-malformed",
                           "An Idempotency-Key is given once: 1 to 255 printable ASCII characters without spaces.");
    call->idempotency_key = key;
    return name_claim(call);
}

/* What makes two requests the same: method, path and body, or what of it may be kept as a digest. It is of no more
 * than the body, escapes undone, and as little again of separators. */
static struct text digest_of(struct call *call, char out[static TOKEN_DIGEST_SIZE])
{
    const struct http_request *request = &call->exchange->request;
    struct buf whole;
    buf_init(&whole, request->path.length + 2 * request->body.length + 32);
    buf_add_string(&whole, http_method_name(request->method));
    buf_add_char(&whole, ' ');
    buf_add_text(&whole, request->path);
    buf_add_char(&whole, '\n');
    if (call->endpoint->likeness)
        call->endpoint->likeness(call, &whole);
    else
        buf_add_text(&whole, request->body);
    digest_hex(buf_text(&whole), out);
    buf_fini(&whole);
    return (struct text){out, TOKEN_DIGEST_SIZE - 1};
}

/* Headers are stored a line each, "Location: /v1/orders/…". Their names become literals of the arena. */
static enum err restore_headers(struct call *call, struct text stored)
{
    struct exchange *exchange = call->exchange;
    while (stored.length > 0) {
        struct text value = text_split(&stored, '\n');
        struct text name = text_split(&value, ':');
        const char *kept = arena_string(call_arena(call), name);
        if (!kept)
            return err_because(ERR_MEMORY, "no memory for a stored answer");
        enum err err = http_header_add(&exchange->request, &exchange->response, kept, text_trim(value));
        if (err)
            return err;
    }
    return ERR_NONE;
}

static enum err replay(struct call *call, struct db_statement *row)
{
    struct http_response *response = &call->exchange->response;
    http_response_reset(response);
    response->status = (int)db_int(row, 1);
    buf_add_text(&response->body, db_text(row, 3));
    enum err err = restore_headers(call, db_text(row, 2));
    call_header(call, "Idempotency-Replayed", "true");
    call->replayed = true;
    return err ? err : buf_check(&response->body);
}

enum err idempotency_recall(struct call *call, bool *ret_found)
{
    char digest[TOKEN_DIGEST_SIZE];
    struct db_statement *row = db_query(call->db, RECALL);
    enum err err = ERR_NONE;
    bool found = false;
    db_bind_text(row, 1, lookup_of(call));
    if (db_next(row)) {
        found = true;
        if (text_equal(db_text(row, 0), digest_of(call, digest)))
            err = replay(call, row);
        else
            err = call_refuse(call, ERR_INVALID, "idempotency-key-reused",
                              "This Idempotency-Key was used before, with another request.");
    }
    enum err done = db_done(row);
    if (err || done)
        return err ? err : done;
    *ret_found = found;
    return ERR_NONE;
}

enum err idempotency_remember(struct call *call)
{
    char digest[TOKEN_DIGEST_SIZE];
    const struct http_response *response = &call->exchange->response;
    struct buf headers;
    buf_init(&headers, call->exchange->request.arena.max_bytes);
    for (size_t i = 0; i < response->header_count; i++) {
        buf_add_text(&headers, response->headers[i].name);
        buf_add_string(&headers, ": ");
        buf_add_text(&headers, response->headers[i].value);
        buf_add_char(&headers, '\n');
    }
    enum err err = buf_check(&headers);
    if (!err) {
        struct db_statement *row = db_query(call->db, REMEMBER);
        db_bind_text(row, 1, lookup_of(call));
        db_bind_string(row, 2, call->caller.user_id);
        db_bind_text(row, 3, call->idempotency_key);
        db_bind_text(row, 4, digest_of(call, digest));
        db_bind_int(row, 5, response->status);
        db_bind_text(row, 6, headers.length ? buf_text(&headers) : TEXT(""));
        db_bind_text(row, 7, response->body.length ? buf_text(&response->body) : TEXT(""));
        db_bind_int(row, 8, clock_wall_us());
        err = db_run(row, NULL);
    }
    buf_fini(&headers);
    return err;
}

enum err idempotency_sweep(struct db_connection *connection, unsigned retention_s, bool *ret_more)
{
    struct db_statement *sweep = db_query(connection, SWEEP);
    int64_t swept = 0;
    db_bind_int(sweep, 1, clock_wall_us() - retention_s * US_PER_S);
    db_bind_int(sweep, 2, SWEEP_ROWS);
    enum err err = db_run(sweep, &swept);
    if (!err)
        *ret_more = swept == SWEEP_ROWS;
    return err;
}
