/*
 * A payment gateway for tests: an HTTP server in this process that answers as Stripe's public API says for
 * PaymentIntents (create, retrieve, cancel, search) and refunds (create, list), with idempotency keys and the test
 * payment methods, and goes wrong on demand.
 *
 * Its ledger is a SQLite file: a row in charge (key, amount_minor, currency) for each charge that was made, and one in
 * refund for each refund; the auditor reads it (check/torture). Amounts are as the gateway counts them, key is the
 * Idempotency-Key that did it.
 *
 * Functions may be called from any thread.
 */
#ifndef TANDEM_CHECK_HARNESS_FAKE_GATEWAY_H
#define TANDEM_CHECK_HARNESS_FAKE_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* The only secret key that it takes. */
#define FAKE_GATEWAY_KEY "sk_test_fake_gateway"

/* What a request is for. */
enum gateway_operation { GATEWAY_CHARGE, GATEWAY_REFUND, GATEWAY_CANCEL, GATEWAY_RETRIEVE, GATEWAY_SEARCH, GATEWAY_LIST,
                         GATEWAY_OPERATIONS };

enum gateway_fault {
    GATEWAY_WELL,
    GATEWAY_LATE,               /* it is done, and never answered */
    GATEWAY_HELD,               /* it is done, and answered by fake_gateway_release(); 409 for others until then */
    GATEWAY_FAILED_BEFORE,      /* 500, and nothing is done; a repeat may do it */
    GATEWAY_FAILED_AFTER,       /* 500, and it is done; which its key will say from now on */
    GATEWAY_UNAVAILABLE,        /* 503 that is no JSON, from something in front of it; nothing is done */
    GATEWAY_TOO_MANY,           /* 429 with Retry-After; nothing is done */
    GATEWAY_IN_USE,             /* 409, as for two at once with one key; nothing is done */
    GATEWAY_NO_ENTRY,           /* 401; nothing is done */
    GATEWAY_DROPPED_BEFORE,     /* the connection, before anything is done */
    GATEWAY_DROPPED_AFTER,      /* and after */
    GATEWAY_GARBAGE,            /* it is done, and what is said is not JSON */
    GATEWAY_CUT_OFF,            /* it is done, and half of the answer is sent */
    GATEWAY_FAULTS,
};

struct fake_gateway;

/** On a free port of 127.0.0.1, with a new ledger in this file. Never NULL. */
struct fake_gateway *fake_gateway_start(const char *ledger);
void fake_gateway_stop(struct fake_gateway *gateway);

const char *fake_gateway_url(const struct fake_gateway *gateway);

/* ---- how it behaves, from now on ---- */

/** The next so many requests for this operation go wrong like this, after those that were asked for before. */
void fake_gateway_fault(struct fake_gateway *gateway, enum gateway_operation operation, enum gateway_fault fault,
                        unsigned times);

/** Forgets the faults that have not come yet. */
void fake_gateway_calm(struct fake_gateway *gateway);

/** So many in a hundred of all requests go wrong, in any way but GATEWAY_HELD; what, the seed says. 0 ends it. */
void fake_gateway_storm(struct fake_gateway *gateway, unsigned percent, uint64_t seed);

/** What GATEWAY_TOO_MANY asks to wait; 1 second unless said. */
void fake_gateway_retry_after(struct fake_gateway *gateway, unsigned seconds);

/** Lets what is held go. */
void fake_gateway_release(struct fake_gateway *gateway);

/** Forgets its keys, as it does after a day. */
void fake_gateway_forget(struct fake_gateway *gateway);

/** While hidden, nothing is found by searching: an index takes a while. */
void fake_gateway_hide(struct fake_gateway *gateway, bool hidden);

/** What was processing for this order succeeds. */
void fake_gateway_complete(struct fake_gateway *gateway, const char *order_id);

/* ---- what it got ---- */

/** Requests for an operation so far. */
unsigned fake_gateway_asked(struct fake_gateway *gateway, enum gateway_operation operation);

/** Requests that are being held. */
unsigned fake_gateway_held(struct fake_gateway *gateway);

/** Requests that a real gateway would not have understood: no version, no form, a secret in the wrong place. */
unsigned fake_gateway_misread(struct fake_gateway *gateway);

/** A number out of its ledger; -1 when there is none. */
int64_t fake_gateway_number(struct fake_gateway *gateway, const char *sql);

/** The id of an order's latest PaymentIntent, "" when there is none; writes it to out. */
void fake_gateway_intent(struct fake_gateway *gateway, const char *order_id, char *out, size_t size);

/* ---- what it tells by itself ---- */

enum { FAKE_SIGNATURE_SIZE = 160 };

/** The body of an event of this type about an order's PaymentIntent, charge or refund, by the type's first word. */
void fake_gateway_event(struct fake_gateway *gateway, const char *type, const char *order_id, struct buf *out);

/** The value of Stripe-Signature for it; returns out. */
const char *fake_gateway_sign(const char *secret, int64_t time_s, struct text body,
                              char out[static FAKE_SIGNATURE_SIZE]);

#endif
