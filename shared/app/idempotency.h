/*
 * Idempotency keys: a command that is sent twice takes effect once, and the second gets the first's answer.
 *
 * After draft-ietf-httpapi-idempotency-key-header. The key, its caller, a digest of the request and the whole response
 * are stored in the transaction of the effect. There is one writer, so that a second runs after the first, in the same
 * transaction or a later one. Of one process it waits for the first before that, and no longer than its own deadline
 * (claims.h); of another, in the queue of the writer, where it may come to be answered 504.
 *
 * A failure is not stored, so that a retry of what was answered 503, or 422, is tried.
 *
 * Of a request with a password the digest leaves that out, since it could be guessed by it (endpoint.likeness). Signing
 * in has no keys: a stored answer would hold a token as it is, and a second session harms nothing. PUT repeats well.
 */
#ifndef TANDEM_APP_IDEMPOTENCY_H
#define TANDEM_APP_IDEMPOTENCY_H

#include "app/call.h"
#include "base/err.h"
#include "state/migrate.h"

enum { IDEMPOTENCY_KEY_MAX = 255 };

/** Reads the header into call->idempotency_key: printable ASCII, at most IDEMPOTENCY_KEY_MAX, quoted as a structured
 *  field string or bare. Refuses with ERR_MALFORMED when it is missing or is not of that form. */
enum err must_check idempotency_key(struct call *call);

/** Inside the transaction, before the effect, and before a task that would be in vain: makes the stored response the
 *  call's and sets *ret_found. ERR_INVALID when the key was used with another request. */
enum err must_check idempotency_recall(struct call *call, bool *ret_found);

/** Inside the transaction, after the effect: stores the call's response. */
enum err must_check idempotency_remember(struct call *call);

/** Forgets a few of the keys older than retention_s; *ret_more when there may be others. In a transaction. */
enum err must_check idempotency_sweep(struct db_connection *connection, unsigned retention_s, bool *ret_more);

extern const struct migration_set app_migrations;

#endif
