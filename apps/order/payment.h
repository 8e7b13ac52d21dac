/*
 * Payment: the anti-corruption layer. What a gateway calls things stops here; the rest of the service knows an outcome,
 * and a reason out of a set of our own.
 *
 * The key of every question is the order's id, so that asking again cannot charge again: a gateway is asked as often as
 * it takes to know. Blocking: for threads of their own (payment_worker.h). All functions may be called by several
 * threads at once.
 */
#ifndef TANDEM_ORDER_PAYMENT_H
#define TANDEM_ORDER_PAYMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/money.h"
#include "base/secret.h"
#include "base/text.h"

enum { PAYMENT_REFERENCE_MAX = 255, PAYMENT_CAUSE_SIZE = 64 };

enum payment_outcome {
    PAYMENT_UNKNOWN,      /* no answer, or none that can be relied on: it may or may not have been done. Ask again */
    PAYMENT_APPROVED,     /* it is done */
    PAYMENT_DECLINED,     /* it is not done, and asking again will not change that */
    PAYMENT_OUTCOMES,
};

/* Why a charge was declined, in our words: what a customer may be told. A lost, stolen or suspected card is just
 * declined, since its holder may be somebody else. */
#define PAYMENT_REASON_TABLE(ROW)                                                                                     \
    ROW(PAYMENT_REASON_NONE, "declined")                                                                              \
    ROW(PAYMENT_REASON_INSUFFICIENT_FUNDS, "insufficient_funds")                                                      \
    ROW(PAYMENT_REASON_LIMIT_EXCEEDED, "limit_exceeded")                                                              \
    ROW(PAYMENT_REASON_CARD_EXPIRED, "card_expired")                                                                  \
    ROW(PAYMENT_REASON_INCORRECT_DETAILS, "incorrect_details")                                                        \
    ROW(PAYMENT_REASON_NOT_SUPPORTED, "not_supported")                                                                \
    ROW(PAYMENT_REASON_AUTHENTICATION_REQUIRED, "authentication_required")                                            \
    ROW(PAYMENT_REASON_METHOD_UNUSABLE, "method_unusable")                                                            \
    ROW(PAYMENT_REASON_AMOUNT_REFUSED, "amount_refused")                                                              \
    ROW(PAYMENT_REASON_ISSUER_UNAVAILABLE, "issuer_unavailable")

enum payment_reason {
#define PAYMENT_REASON_ID(id, name) id,
    PAYMENT_REASON_TABLE(PAYMENT_REASON_ID)
#undef PAYMENT_REASON_ID
    PAYMENT_REASONS,
};

/** "insufficient_funds"; "declined" when nothing more is known. */
const char *payment_reason_name(enum payment_reason reason);

/** What an order's history says of it: "payment declined: insufficient_funds", or "payment declined"; returns out. */
const char *payment_reason_cause(enum payment_reason reason, char out[static PAYMENT_CAUSE_SIZE]);

struct payment_request {
    struct text key;          /* the order's id */
    struct secret method;     /* the gateway's token for how is paid; empty for its default */
    struct money amount;
    struct text reference;    /* what the gateway calls the charge, from an answer before; absent when not known */
    int64_t asked_us;         /* wall time when this was asked for first; 0: never before */
    bool only_find_out;       /* a charge that nobody wants any more: what was made is told, and none is made */
};

struct payment_answer {
    enum payment_outcome outcome;
    enum payment_reason reason;                     /* with PAYMENT_DECLINED */
    unsigned retry_after_s;                         /* with PAYMENT_UNKNOWN: do not ask before; 0: it does not say */
    char reference[PAYMENT_REFERENCE_MAX + 1];      /* "" when it is not known; may be with any outcome */
};

/* What a gateway tells by itself, as it came. */
struct payment_notice {
    struct text signature;                          /* the header field payment_notice_header() names; may be absent */
    struct text body;
    int64_t now_s, tolerance_s;                     /* wall time; how far from it the notice may have been made */
};

enum payment_news_kind {
    PAYMENT_NEWS_IGNORED,          /* of a kind that nothing follows from */
    PAYMENT_NEWS_FOREIGN,          /* not of an order */
    PAYMENT_NEWS_CHANGED,          /* something is known of an order's payment that may not have been: ask */
    PAYMENT_NEWS_REFUND_FAILED,    /* as before, and what was given back has not arrived */
};

struct payment_news {
    enum payment_news_kind kind;
    char order_id[ID_SIZE];                         /* with the last two */
    char reference[PAYMENT_REFERENCE_MAX + 1];      /* may be "" */
};

struct payment_opts {
    const char *driver;               /* "sandbox", "stripe" */
    const char *sandbox_file;         /* the sandbox's ledger */
    unsigned busy_timeout_ms;         /* of that file */
    const char *stripe_url;           /* without a slash at the end */
    const char *stripe_key_file;      /* holds the secret key; read at each question, so that it can be renewed */
    const char *webhook_secret_file;  /* a line for each secret that signs notices; "": none are taken */
    unsigned timeout_ms;              /* of one call to the gateway; a question may take four */
    unsigned breaker_failures, breaker_open_ms, breaker_probes;   /* as of net/client.h */
};

/* A gateway. open() makes the driver's state, which the others get. */
struct payment_driver {
    const char *name;
    unsigned batch_max;               /* questions that one thread may ask in turn before it records their answers */
    bool needs_method;                /* there is no default for how is paid */
    const char *notice_header;        /* of a notice's signature; NULL: the gateway sends none */
    /* All of open that asks nobody and makes nothing. ERR_CONFIG, ERR_IO with a cause. */
    enum err (*check)(const struct payment_opts *opts);
    enum err (*open)(const struct payment_opts *opts, void **ret);
    void (*close)(void *state);
    void (*charge)(void *state, const struct payment_request *request, struct payment_answer *ret);
    void (*refund)(void *state, const struct payment_request *request, struct payment_answer *ret);
    enum err (*read_notice)(void *state, const struct payment_notice *notice, struct payment_news *ret);
};

struct payment;

/** Whether payment_open() could do with these, files of secrets included. ERR_CONFIG with a cause; ERR_IO when a file
 *  cannot be read. */
enum err must_check payment_check(const struct payment_opts *opts);

/** ERR_CONFIG when no driver has this name; what the driver's open() says. */
enum err must_check payment_open(const struct payment_opts *opts, struct payment **ret);
void payment_close(struct payment *payment);

/** Charges request->amount, once for each key however often it is asked. With PAYMENT_UNKNOWN err_cause() says why.
 *  Where it is only to be found out, PAYMENT_DECLINED says that there is no charge, and will be none. */
void payment_charge(struct payment *payment, const struct payment_request *request, struct payment_answer *ret);

/** Gives back what was charged for the key, once however often it is asked. PAYMENT_DECLINED when nothing was. */
void payment_refund(struct payment *payment, const struct payment_request *request, struct payment_answer *ret);

/* Of the driver. */
unsigned payment_batch_max(const struct payment *payment);
bool payment_needs_method(const struct payment *payment);

/** The header field with a notice's signature; NULL when the gateway sends no notices, or none are taken. */
const char *payment_notice_header(const struct payment *payment);

/** Verifies a notice and reads it; nothing of one that is not genuine is looked at. Only where there is a header for
 *  them. ERR_FORBIDDEN when it is not signed by whom it should be, or not now; ERR_MALFORMED when it is and cannot be
 *  understood; ERR_UNAVAILABLE without the secrets; ERR_MEMORY. */
enum err must_check payment_notice_read(struct payment *payment, const struct payment_notice *notice,
                                        struct payment_news *ret);

extern const struct payment_driver payment_sandbox, payment_stripe;

#endif
