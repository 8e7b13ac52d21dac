#include "config.h"

#include <stddef.h>

#include "apps/order/payment_stripe.h"
#include "apps/order/payment_stripe_answer.h"

enum { WORD_MAX = 255, TOO_MANY = 429, SERVER_ERRORS = 500 };

/* ---- reading ---- */

static const struct json_field metadata_fields[] = {
    {.name = "order_id", .type = JSON_TEXT, .max = WORD_MAX, .offset = 0},
    {.name = NULL},
};

static const struct json_field failure_fields[] = {
    {.name = "type", .type = JSON_TEXT, .max = WORD_MAX, .offset = offsetof(struct stripe_failure, type)},
    {.name = "code", .type = JSON_TEXT, .max = WORD_MAX, .offset = offsetof(struct stripe_failure, code)},
    {.name = "decline_code", .type = JSON_TEXT, .max = WORD_MAX,
     .offset = offsetof(struct stripe_failure, decline_code)},
    {.name = "param", .type = JSON_TEXT, .max = WORD_MAX, .offset = offsetof(struct stripe_failure, param)},
    {.name = NULL},
};

/* The members of an object that stands so far into a struct. */
#define OBJECT_FIELDS(at)                                                                                             \
    {.name = "id", .type = JSON_TEXT, .max = WORD_MAX, .accepts = stripe_is_id, .rule = "must be an id",              \
     .offset = (at) + offsetof(struct stripe_object, id)},                                                            \
    {.name = "status", .type = JSON_TEXT, .max = WORD_MAX, .offset = (at) + offsetof(struct stripe_object, status)},  \
    {.name = "currency", .type = JSON_TEXT, .max = WORD_MAX,                                                          \
     .offset = (at) + offsetof(struct stripe_object, currency)},                                                      \
    {.name = "cancellation_reason", .type = JSON_TEXT, .max = WORD_MAX,                                               \
     .offset = (at) + offsetof(struct stripe_object, cancellation_reason)},                                           \
    {.name = "amount", .type = JSON_INTEGER, .offset = (at) + offsetof(struct stripe_object, amount)},                \
    {.name = "metadata", .type = JSON_OBJECT, .fields = metadata_fields,                                              \
     .offset = (at) + offsetof(struct stripe_object, metadata)},                                                      \
    {.name = "last_payment_error", .type = JSON_OBJECT, .fields = failure_fields,                                     \
     .offset = (at) + offsetof(struct stripe_object, failure)}

static const struct json_field object_fields[] = {
    OBJECT_FIELDS(0),
    {.name = NULL},
};

#define ERROR_AT(member) (offsetof(struct stripe_answer, error.member) - offsetof(struct stripe_answer, error))

static const struct json_field error_fields[] = {
    {.name = "type", .type = JSON_TEXT, .required = true, .max = WORD_MAX, .offset = ERROR_AT(failure.type)},
    {.name = "code", .type = JSON_TEXT, .max = WORD_MAX, .offset = ERROR_AT(failure.code)},
    {.name = "decline_code", .type = JSON_TEXT, .max = WORD_MAX, .offset = ERROR_AT(failure.decline_code)},
    {.name = "param", .type = JSON_TEXT, .max = WORD_MAX, .offset = ERROR_AT(failure.param)},
    {.name = "payment_intent", .type = JSON_OBJECT, .fields = object_fields, .offset = ERROR_AT(intent)},
    {.name = NULL},
};

static const struct json_field answer_fields[] = {
    OBJECT_FIELDS(offsetof(struct stripe_answer, object)),
    {.name = "data", .type = JSON_ARRAY, .fields = object_fields, .element_size = sizeof(struct stripe_object),
     .offset = offsetof(struct stripe_answer, list)},
    {.name = "error", .type = JSON_OBJECT, .fields = error_fields, .offset = offsetof(struct stripe_answer, error)},
    {.name = NULL},
};

enum err stripe_answer_read(int status, struct text body, struct arena *arena, struct stripe_answer *ret)
{
    struct stripe_answer answer = {.status = status};
    struct json_document *document = NULL;
    struct json_faults faults = {.count = 0};
    enum err err = json_parse(body, &document);
    if (!err)
        err = json_read_lenient(document, answer_fields, arena, &answer, &faults);
    json_free(document);
    if (err == ERR_MEMORY)
        return err;
    if (err && (status == TOO_MANY || status >= SERVER_ERRORS)) {
        answer = (struct stripe_answer){.status = status};
        err = ERR_NONE;
    }
    if (err)
        return err_because(ERR_PROTOCOL, "the gateway's answer (%d) is not understood", status);
    *ret = answer;
    return ERR_NONE;
}

/* ---- codes ---- */

static const struct {
    const char *code;
    enum payment_reason reason;
} reasons[] = {
    {"insufficient_funds", PAYMENT_REASON_INSUFFICIENT_FUNDS},
    {"card_velocity_exceeded", PAYMENT_REASON_LIMIT_EXCEEDED},
    {"withdrawal_count_limit_exceeded", PAYMENT_REASON_LIMIT_EXCEEDED},
    {"expired_card", PAYMENT_REASON_CARD_EXPIRED},
    {"incorrect_number", PAYMENT_REASON_INCORRECT_DETAILS},
    {"invalid_number", PAYMENT_REASON_INCORRECT_DETAILS},
    {"incorrect_cvc", PAYMENT_REASON_INCORRECT_DETAILS},
    {"invalid_cvc", PAYMENT_REASON_INCORRECT_DETAILS},
    {"incorrect_zip", PAYMENT_REASON_INCORRECT_DETAILS},
    {"incorrect_address", PAYMENT_REASON_INCORRECT_DETAILS},
    {"invalid_expiry_month", PAYMENT_REASON_INCORRECT_DETAILS},
    {"invalid_expiry_year", PAYMENT_REASON_INCORRECT_DETAILS},
    {"incorrect_pin", PAYMENT_REASON_INCORRECT_DETAILS},
    {"invalid_pin", PAYMENT_REASON_INCORRECT_DETAILS},
    {"card_not_supported", PAYMENT_REASON_NOT_SUPPORTED},
    {"currency_not_supported", PAYMENT_REASON_NOT_SUPPORTED},
    {"service_not_allowed", PAYMENT_REASON_NOT_SUPPORTED},
    {"transaction_not_allowed", PAYMENT_REASON_NOT_SUPPORTED},
    {"authentication_required", PAYMENT_REASON_AUTHENTICATION_REQUIRED},
    {"authentication_not_handled", PAYMENT_REASON_AUTHENTICATION_REQUIRED},
    {"payment_intent_authentication_failure", PAYMENT_REASON_AUTHENTICATION_REQUIRED},
    {"mobile_device_authentication_required", PAYMENT_REASON_AUTHENTICATION_REQUIRED},
    {"online_or_offline_pin_required", PAYMENT_REASON_AUTHENTICATION_REQUIRED},
    {"invalid_account", PAYMENT_REASON_METHOD_UNUSABLE},
    {"new_account_information_available", PAYMENT_REASON_METHOD_UNUSABLE},
    {"revocation_of_authorization", PAYMENT_REASON_METHOD_UNUSABLE},
    {"revocation_of_all_authorizations", PAYMENT_REASON_METHOD_UNUSABLE},
    {"stop_payment_order", PAYMENT_REASON_METHOD_UNUSABLE},
    {"invalid_amount", PAYMENT_REASON_AMOUNT_REFUSED},
    {"issuer_not_available", PAYMENT_REASON_ISSUER_UNAVAILABLE},
    {"processing_error", PAYMENT_REASON_ISSUER_UNAVAILABLE},
    {"reenter_transaction", PAYMENT_REASON_ISSUER_UNAVAILABLE},
    {"try_again_later", PAYMENT_REASON_ISSUER_UNAVAILABLE},
};

static bool find_reason(struct text code, enum payment_reason *ret)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (text_equal_string(code, reasons[i].code)) {
            *ret = reasons[i].reason;
            return true;
        }
    }
    return false;
}

enum payment_reason stripe_reason(struct text code, struct text decline_code)
{
    enum payment_reason reason = PAYMENT_REASON_NONE;
    if (!find_reason(decline_code, &reason))
        (void)find_reason(code, &reason);
    return reason;
}

/* ---- statuses ---- */

static const struct {
    unsigned questions;
    const char *status;
    struct stripe_meaning meaning;
} statuses[] = {
    {STRIPE_CHARGE, "succeeded", {STRIPE_DONE, 0, NULL}},
    {STRIPE_CHARGE, "processing", {STRIPE_WAIT, 0, "the gateway is still at it"}},
    {STRIPE_CHARGE, "requires_payment_method", {STRIPE_REFUSED, 0, NULL}},
    {STRIPE_CHARGE, "canceled", {STRIPE_REFUSED, 0, NULL}},
    {STRIPE_CHARGE, "requires_action", {STRIPE_CANCEL, PAYMENT_REASON_AUTHENTICATION_REQUIRED, NULL}},
    /* Never so after a confirmation that went well: one that did not is not taken up again, but ended. */
    {STRIPE_CHARGE, "requires_confirmation", {STRIPE_CANCEL, PAYMENT_REASON_NONE, NULL}},
    {STRIPE_CHARGE, "requires_capture", {STRIPE_CANCEL, PAYMENT_REASON_NONE, NULL}},
    {STRIPE_REFUND, "succeeded", {STRIPE_DONE, 0, NULL}},
    /* Taken on, and on its way for days: should it fail, that is told by a notice. */
    {STRIPE_REFUND, "pending", {STRIPE_DONE, 0, NULL}},
    {STRIPE_REFUND, "requires_action", {STRIPE_DONE, 0, NULL}},
    {STRIPE_REFUND, "failed", {STRIPE_REFUSED, 0, NULL}},
    {STRIPE_REFUND, "canceled", {STRIPE_REFUSED, 0, NULL}},
};

/* Only this service gives an intent up as abandoned, and for this. */
static enum payment_reason reason_of(const struct stripe_object *object)
{
    if (text_equal_string(object->cancellation_reason, "abandoned"))
        return PAYMENT_REASON_AUTHENTICATION_REQUIRED;
    return stripe_reason(object->failure.code, object->failure.decline_code);
}

struct stripe_meaning stripe_meaning_of_object(enum stripe_question question, const struct stripe_object *object)
{
    struct stripe_meaning meaning = {STRIPE_WAIT, PAYMENT_REASON_NONE, "the gateway has it in a state nobody knows"};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if ((statuses[i].questions & question) && text_equal_string(object->status, statuses[i].status))
            meaning = statuses[i].meaning;
    }
    if (meaning.verdict == STRIPE_REFUSED)
        meaning.reason = reason_of(object);
    return meaning;
}

/* ---- errors ---- */

enum { BOTH = STRIPE_CHARGE | STRIPE_REFUND };

/* What an error's row leaves open. */
enum further { AS_IT_SAYS, BY_ITS_CODE, BY_ITS_INTENT };

/* The first row that fits; 0 and NULL fit everything. */
static const struct error_row {
    unsigned questions;
    int status_least, status_most;
    const char *type, *code, *param;
    struct stripe_meaning meaning;
    enum further further;
} errors[] = {
    {BOTH, 401, 401, NULL, NULL, NULL, {STRIPE_WAIT, 0, "the gateway does not take the key in payment.stripe_key_file"},
     AS_IT_SAYS},
    {BOTH, 403, 403, NULL, NULL, NULL, {STRIPE_WAIT, 0, "the key in payment.stripe_key_file may not do this"},
     AS_IT_SAYS},
    {BOTH, 409, 409, NULL, NULL, NULL, {STRIPE_WAIT, 0, "the gateway is at it for another question with this key"},
     AS_IT_SAYS},
    {BOTH, 429, 429, NULL, NULL, NULL, {STRIPE_WAIT, 0, "the gateway is asked too often"}, AS_IT_SAYS},
    /* It keeps the answer to a key, a failed one too, and will give no other. */
    {BOTH, 500, 599, NULL, NULL, NULL, {STRIPE_LOOK, 0, "the gateway failed"}, AS_IT_SAYS},
    {BOTH, 0, 599, "idempotency_error", NULL, NULL, {STRIPE_LOOK, 0, "the key was used with another request"},
     AS_IT_SAYS},
    {STRIPE_CHARGE, 402, 402, "card_error", NULL, NULL, {STRIPE_REFUSED, 0, NULL}, BY_ITS_CODE},
    {STRIPE_CHARGE, 0, 499, NULL, "payment_intent_unexpected_state", NULL, {STRIPE_WAIT, 0, NULL}, BY_ITS_INTENT},
    {STRIPE_CHARGE, 400, 400, "invalid_request_error", "amount_too_small", NULL,
     {STRIPE_REFUSED, PAYMENT_REASON_AMOUNT_REFUSED, NULL}, AS_IT_SAYS},
    {STRIPE_CHARGE, 400, 400, "invalid_request_error", "amount_too_large", NULL,
     {STRIPE_REFUSED, PAYMENT_REASON_AMOUNT_REFUSED, NULL}, AS_IT_SAYS},
    {STRIPE_CHARGE, 400, 404, "invalid_request_error", NULL, "payment_method",
     {STRIPE_REFUSED, PAYMENT_REASON_METHOD_UNUSABLE, NULL}, AS_IT_SAYS},
    {STRIPE_CHARGE, 404, 404, "invalid_request_error", "resource_missing", NULL, {STRIPE_NONE, 0, NULL}, AS_IT_SAYS},
    {STRIPE_REFUND, 400, 400, NULL, "charge_already_refunded", NULL, {STRIPE_DONE, 0, NULL}, AS_IT_SAYS},
    {STRIPE_REFUND, 400, 400, NULL, "charge_disputed", NULL, {STRIPE_REFUSED, 0, NULL}, AS_IT_SAYS},
    {STRIPE_REFUND, 400, 404, NULL, "resource_missing", NULL,
     {STRIPE_WAIT, 0, "the gateway does not know the charge: payment.stripe_key_file is of another account"},
     AS_IT_SAYS},
};

static bool fits(const char *wanted, struct text given)
{
    return !wanted || text_equal_string(given, wanted);
}

static const struct error_row *find_error(enum stripe_question question, const struct stripe_answer *answer)
{
    const struct stripe_failure *failure = &answer->error.failure;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        const struct error_row *row = &errors[i];
        if ((row->questions & question) && answer->status >= row->status_least && answer->status <= row->status_most &&
            fits(row->type, failure->type) && fits(row->code, failure->code) && fits(row->param, failure->param))
            return row;
    }
    return NULL;
}

struct stripe_meaning stripe_meaning_of_error(enum stripe_question question, const struct stripe_answer *answer)
{
    const struct stripe_failure *failure = &answer->error.failure;
    const struct error_row *row = find_error(question, answer);
    if (!row)
        return (struct stripe_meaning){STRIPE_WAIT, PAYMENT_REASON_NONE, "the gateway does not take the request"};
    struct stripe_meaning meaning = row->meaning;
    if (row->further == BY_ITS_CODE)
        meaning.reason = stripe_reason(failure->code, failure->decline_code);
    if (row->further == BY_ITS_INTENT)
        meaning = stripe_meaning_of_object(question, &answer->error.intent);
    return meaning;
}
