/*
 * What the gateway answers, and what that means to us: tables of its statuses, errors and decline codes.
 *
 * Pure functions: any thread. Nothing of an answer is trusted that does not say what it is about.
 */
#ifndef TANDEM_ORDER_PAYMENT_STRIPE_ANSWER_H
#define TANDEM_ORDER_PAYMENT_STRIPE_ANSWER_H

#include "apps/order/payment.h"
#include "base/arena.h"
#include "base/json.h"

enum stripe_question { STRIPE_CHARGE = 1, STRIPE_REFUND = 2 };

enum stripe_verdict {
    STRIPE_NONE,       /* there is no such thing at the gateway */
    STRIPE_REFUSED,    /* it is not done, and will not be */
    STRIPE_CANCEL,     /* it is not done, and may be once somebody acts, who is not here: to be cancelled */
    STRIPE_WAIT,       /* not known: ask again */
    STRIPE_LOOK,       /* the key will tell nothing else any more: look what there is */
    STRIPE_DONE,
};

struct stripe_failure {
    struct text type, code, decline_code, param;
};

/* A PaymentIntent or a refund. */
struct stripe_object {
    struct text id, status, currency, cancellation_reason;
    int64_t amount;
    struct { struct text order_id; } metadata;
    struct stripe_failure failure;         /* an intent's latest */
};

struct stripe_answer {
    int status;                            /* of HTTP */
    unsigned retry_after_s;
    struct stripe_object object;           /* when it is one */
    struct json_array list;                /* of struct stripe_object, when it is a list */
    struct { struct stripe_failure failure; struct stripe_object intent; } error;
};

/** Reads the body of an answer with this status. ERR_PROTOCOL when it is not understood, but for statuses that say
 *  enough by themselves (429 and from 500 on); ERR_MEMORY. Texts are in the arena. */
enum err must_check stripe_answer_read(int status, struct text body, struct arena *arena, struct stripe_answer *ret);

struct stripe_meaning {
    enum stripe_verdict verdict;
    enum payment_reason reason;            /* with STRIPE_REFUSED and STRIPE_CANCEL */
    const char *cause;                     /* with STRIPE_WAIT and STRIPE_LOOK; a literal */
};

/** What an answer that is no success (status 300 or more) means. */
struct stripe_meaning stripe_meaning_of_error(enum stripe_question question, const struct stripe_answer *answer);

/** What an object's status means. */
struct stripe_meaning stripe_meaning_of_object(enum stripe_question question, const struct stripe_object *object);

/** Ours of the gateway's codes; PAYMENT_REASON_NONE for those that are not known, or are nobody's business. */
enum payment_reason stripe_reason(struct text code, struct text decline_code);

#endif
