/* What Stripe's answers mean to us, row by row; and what it is asked with. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "apps/order/payment_stripe.h"
#include "apps/order/payment_stripe_answer.h"
#include "apps/order/payment_stripe_call.h"
#include "apps/order/payment_stripe_form.h"
#include "check/harness/suite.h"

static struct arena arena;

static struct stripe_answer read_answer(int status, const char *body)
{
    struct stripe_answer answer = {.status = 0};
    arena_fini(&arena);
    arena_init(&arena, 65536);
    CU_ASSERT_EQUAL(stripe_answer_read(status, text_of(body), &arena, &answer), ERR_NONE);
    return answer;
}

/* ---- codes ---- */

static void test_codes(void)
{
    static const struct {
        const char *code, *decline_code, *reason;
    } rows[] = {
        {"card_declined", "insufficient_funds", "insufficient_funds"},
        {"card_declined", "card_velocity_exceeded", "limit_exceeded"},
        {"card_declined", "withdrawal_count_limit_exceeded", "limit_exceeded"},
        {"expired_card", "expired_card", "card_expired"},
        {"expired_card", NULL, "card_expired"},
        {"incorrect_number", NULL, "incorrect_details"},
        {"invalid_number", NULL, "incorrect_details"},
        {"incorrect_cvc", "incorrect_cvc", "incorrect_details"},
        {"invalid_cvc", NULL, "incorrect_details"},
        {"incorrect_zip", NULL, "incorrect_details"},
        {"incorrect_address", NULL, "incorrect_details"},
        {"invalid_expiry_month", NULL, "incorrect_details"},
        {"invalid_expiry_year", NULL, "incorrect_details"},
        {"card_declined", "incorrect_pin", "incorrect_details"},
        {"card_declined", "invalid_pin", "incorrect_details"},
        {"card_declined", "card_not_supported", "not_supported"},
        {"card_declined", "currency_not_supported", "not_supported"},
        {"card_declined", "service_not_allowed", "not_supported"},
        {"card_declined", "transaction_not_allowed", "not_supported"},
        {"authentication_required", NULL, "authentication_required"},
        {"card_declined", "authentication_required", "authentication_required"},
        {"card_declined", "authentication_not_handled", "authentication_required"},
        {"card_declined", "mobile_device_authentication_required", "authentication_required"},
        {"card_declined", "online_or_offline_pin_required", "authentication_required"},
        {"payment_intent_authentication_failure", NULL, "authentication_required"},
        {"card_declined", "invalid_account", "method_unusable"},
        {"card_declined", "new_account_information_available", "method_unusable"},
        {"card_declined", "revocation_of_authorization", "method_unusable"},
        {"card_declined", "revocation_of_all_authorizations", "method_unusable"},
        {"card_declined", "stop_payment_order", "method_unusable"},
        {"card_declined", "invalid_amount", "amount_refused"},
        {"card_declined", "issuer_not_available", "issuer_unavailable"},
        {"processing_error", "processing_error", "issuer_unavailable"},
        {"card_declined", "reenter_transaction", "issuer_unavailable"},
        {"card_declined", "try_again_later", "issuer_unavailable"},
        /* Not to be told to whoever holds the card. */
        {"card_declined", "lost_card", "declined"},
        {"card_declined", "stolen_card", "declined"},
        {"card_declined", "pickup_card", "declined"},
        {"card_declined", "fraudulent", "declined"},
        {"card_declined", "merchant_blacklist", "declined"},
        {"card_declined", "generic_decline", "declined"},
        {"card_declined", "do_not_honor", "declined"},
        {"card_declined", "made_up_tomorrow", "declined"},
        {"made_up_tomorrow", NULL, "declined"},
        {NULL, NULL, "declined"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum payment_reason reason = stripe_reason(text_of(rows[i].code), text_of(rows[i].decline_code));
        CU_ASSERT_STRING_EQUAL(payment_reason_name(reason), rows[i].reason);
    }
}

/* ---- statuses ---- */

static void test_statuses(void)
{
    static const struct {
        enum stripe_question question;
        const char *status, *more;
        enum stripe_verdict verdict;
        const char *reason;
    } rows[] = {
        {STRIPE_CHARGE, "succeeded", "", STRIPE_DONE, "declined"},
        {STRIPE_CHARGE, "processing", "", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, "requires_payment_method", "", STRIPE_REFUSED, "declined"},
        {STRIPE_CHARGE, "requires_payment_method",
         ",\"last_payment_error\":{\"type\":\"card_error\",\"code\":\"card_declined\","
         "\"decline_code\":\"insufficient_funds\"}", STRIPE_REFUSED, "insufficient_funds"},
        {STRIPE_CHARGE, "canceled", "", STRIPE_REFUSED, "declined"},
        {STRIPE_CHARGE, "canceled", ",\"cancellation_reason\":\"abandoned\"", STRIPE_REFUSED,
         "authentication_required"},
        {STRIPE_CHARGE, "canceled", ",\"cancellation_reason\":\"fraudulent\"", STRIPE_REFUSED, "declined"},
        {STRIPE_CHARGE, "requires_action", "", STRIPE_CANCEL, "authentication_required"},
        {STRIPE_CHARGE, "requires_confirmation", "", STRIPE_CANCEL, "declined"},
        {STRIPE_CHARGE, "requires_capture", "", STRIPE_CANCEL, "declined"},
        {STRIPE_CHARGE, "made_up_tomorrow", "", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, "pending", "", STRIPE_WAIT, "declined"},
        {STRIPE_REFUND, "succeeded", "", STRIPE_DONE, "declined"},
        {STRIPE_REFUND, "pending", "", STRIPE_DONE, "declined"},
        {STRIPE_REFUND, "requires_action", "", STRIPE_DONE, "declined"},
        {STRIPE_REFUND, "failed", "", STRIPE_REFUSED, "declined"},
        {STRIPE_REFUND, "canceled", "", STRIPE_REFUSED, "declined"},
        {STRIPE_REFUND, "processing", "", STRIPE_WAIT, "declined"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"id\":\"pi_1\",\"status\":\"%s\",\"next_action\":null%s}", rows[i].status,
                 rows[i].more);
        struct stripe_answer answer = read_answer(200, body);
        struct stripe_meaning meaning = stripe_meaning_of_object(rows[i].question, &answer.object);
        CU_ASSERT_EQUAL(meaning.verdict, rows[i].verdict);
        CU_ASSERT_STRING_EQUAL(payment_reason_name(meaning.reason), rows[i].reason);
    }
    struct stripe_answer nothing = read_answer(200, "{}");
    CU_ASSERT_EQUAL(stripe_meaning_of_object(STRIPE_CHARGE, &nothing.object).verdict, STRIPE_WAIT);
}

/* ---- errors ---- */

static void test_errors(void)
{
    static const struct {
        enum stripe_question question;
        int status;
        const char *type, *rest;
        enum stripe_verdict verdict;
        const char *reason;
    } rows[] = {
        {STRIPE_CHARGE, 401, "invalid_request_error", "", STRIPE_WAIT, "declined"},
        {STRIPE_REFUND, 401, "invalid_request_error", "", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 403, "invalid_request_error", "", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 409, "idempotency_error", ",\"code\":\"idempotency_key_in_use\"", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 429, "invalid_request_error", ",\"code\":\"rate_limit\"", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 500, "api_error", "", STRIPE_LOOK, "declined"},
        {STRIPE_REFUND, 503, "api_error", "", STRIPE_LOOK, "declined"},
        {STRIPE_CHARGE, 400, "idempotency_error", "", STRIPE_LOOK, "declined"},
        {STRIPE_CHARGE, 402, "card_error", ",\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\"",
         STRIPE_REFUSED, "insufficient_funds"},
        {STRIPE_CHARGE, 402, "card_error", ",\"code\":\"expired_card\"", STRIPE_REFUSED, "card_expired"},
        {STRIPE_CHARGE, 402, "card_error", "", STRIPE_REFUSED, "declined"},
        {STRIPE_CHARGE, 402, "api_error", "", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 400, "invalid_request_error",
         ",\"code\":\"payment_intent_unexpected_state\",\"payment_intent\":{\"id\":\"pi_1\",\"status\":\"succeeded\"}",
         STRIPE_DONE, "declined"},
        {STRIPE_CHARGE, 400, "invalid_request_error",
         ",\"code\":\"payment_intent_unexpected_state\",\"payment_intent\":{\"id\":\"pi_1\",\"status\":\"canceled\"}",
         STRIPE_REFUSED, "declined"},
        {STRIPE_CHARGE, 400, "invalid_request_error", ",\"code\":\"payment_intent_unexpected_state\"", STRIPE_WAIT,
         "declined"},
        {STRIPE_CHARGE, 400, "invalid_request_error", ",\"code\":\"amount_too_small\",\"param\":\"amount\"",
         STRIPE_REFUSED, "amount_refused"},
        {STRIPE_CHARGE, 400, "invalid_request_error", ",\"code\":\"amount_too_large\",\"param\":\"amount\"",
         STRIPE_REFUSED, "amount_refused"},
        {STRIPE_CHARGE, 400, "invalid_request_error", ",\"code\":\"resource_missing\",\"param\":\"payment_method\"",
         STRIPE_REFUSED, "method_unusable"},
        {STRIPE_CHARGE, 400, "invalid_request_error", ",\"param\":\"payment_method\"", STRIPE_REFUSED,
         "method_unusable"},
        {STRIPE_CHARGE, 404, "invalid_request_error", ",\"code\":\"resource_missing\",\"param\":\"intent\"",
         STRIPE_NONE, "declined"},
        {STRIPE_CHARGE, 400, "invalid_request_error", ",\"param\":\"currency\"", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 400, "invalid_request_error", ",\"code\":\"parameter_unknown\",\"param\":\"confirm\"",
         STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 404, "invalid_request_error", "", STRIPE_WAIT, "declined"},
        {STRIPE_CHARGE, 302, "invalid_request_error", "", STRIPE_WAIT, "declined"},
        {STRIPE_REFUND, 400, "invalid_request_error", ",\"code\":\"charge_already_refunded\"", STRIPE_DONE, "declined"},
        {STRIPE_REFUND, 400, "invalid_request_error", ",\"code\":\"charge_disputed\"", STRIPE_REFUSED, "declined"},
        {STRIPE_REFUND, 400, "invalid_request_error", ",\"code\":\"resource_missing\",\"param\":\"payment_intent\"",
         STRIPE_WAIT, "declined"},
        {STRIPE_REFUND, 400, "invalid_request_error", ",\"param\":\"payment_method\"", STRIPE_WAIT, "declined"},
        {STRIPE_REFUND, 402, "card_error", "", STRIPE_WAIT, "declined"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"error\":{\"type\":\"%s\",\"message\":\"m\"%s}}", rows[i].type, rows[i].rest);
        struct stripe_answer answer = read_answer(rows[i].status, body);
        struct stripe_meaning meaning = stripe_meaning_of_error(rows[i].question, &answer);
        CU_ASSERT_EQUAL(meaning.verdict, rows[i].verdict);
        CU_ASSERT_STRING_EQUAL(payment_reason_name(meaning.reason), rows[i].reason);
    }
}

static void test_what_is_not_understood(void)
{
    static const char *const bodies[] = {
        "", "<html>", "[]", "{\"id\":\"pi_1\"", "{\"id\":7}", "{\"id\":\"pi_1/cancel\"}", "{\"id\":\"\"}",
        "{\"amount\":\"12\"}", "{\"amount\":12.5}", "{\"metadata\":[]}", "{\"error\":{}}", "{\"error\":\"no\"}",
        "{\"data\":{}}", "{\"id\":\"pi_1\",\"id\":\"pi_2\"}",
    };
    struct stripe_answer answer = {.status = 7};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        arena_fini(&arena);
        arena_init(&arena, 65536);
        CU_ASSERT_EQUAL(stripe_answer_read(200, text_of(bodies[i]), &arena, &answer), ERR_PROTOCOL);
        CU_ASSERT_EQUAL(stripe_answer_read(402, text_of(bodies[i]), &arena, &answer), ERR_PROTOCOL);
        CU_ASSERT_EQUAL(answer.status, 7);
    }
    /* These say enough by themselves. */
    answer = read_answer(503, "<html>");
    CU_ASSERT_EQUAL(stripe_meaning_of_error(STRIPE_CHARGE, &answer).verdict, STRIPE_LOOK);
    answer = read_answer(429, "slow down");
    CU_ASSERT_EQUAL(stripe_meaning_of_error(STRIPE_CHARGE, &answer).verdict, STRIPE_WAIT);
    struct arena small;
    arena_init(&small, 16);
    CU_ASSERT_EQUAL(stripe_answer_read(200, TEXT("{\"id\":\"pi_1234567890\",\"status\":\"succeeded\"}"), &small,
                                       &answer), ERR_MEMORY);
    arena_fini(&small);
}

/* ---- what is asked ---- */

static void test_amounts(void)
{
    static const struct {
        const char *code;
        int64_t amount_minor, amount;      /* -1: cannot be said */
    } rows[] = {
        {"EUR", 1250, 1250},   {"USD", 1, 1},         {"JPY", 800, 800},      {"HUF", 12345, 12345},
        {"ISK", 500, 50000},   {"UGX", 5000, 500000}, {"MGA", 500, 5},        {"MGA", 510, -1},
        {"KWD", 1230, 1230},   {"KWD", 1234, -1},     {"BHD", 10, 10},        {"JOD", 5, -1},
        {"OMR", 1000, 1000},   {"TND", 1000, 1000},   {"EUR", 99999999, 99999999}, {"EUR", 100000000, -1},
        {"ISK", 1000000, -1},  {"EUR", INT64_MAX, -1}, {"EUR", -1, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct money money = {rows[i].amount_minor, currency_find(text_of(rows[i].code))};
        int64_t amount = -1;
        CU_ASSERT_PTR_NOT_NULL_FATAL(money.currency);
        CU_ASSERT_EQUAL(stripe_amount(money, &amount), rows[i].amount >= 0);
        CU_ASSERT_EQUAL(amount, rows[i].amount);
    }
}

static void test_forms(void)
{
    struct payment_request request = {.key = TEXT("0190a000-0000-7000-8000-000000000001"),
                                      .method = secret_of(TEXT("pm_&=%+é")),
                                      .amount = {1250, currency_find(TEXT("EUR"))}};
    struct buf form, again;
    buf_init(&form, STRIPE_FORM_MAX_BYTES);
    buf_init(&again, STRIPE_FORM_MAX_BYTES);
    stripe_form_charge(&form, &request, 1250);
    stripe_form_charge(&again, &request, 1250);
    CU_ASSERT_STRING_EQUAL(buf_string(&form),
                           "amount=1250&currency=eur&payment_method=pm_%26%3D%25%2B%C3%A9&confirm=true"
                           "&automatic_payment_methods%5Benabled%5D=true"
                           "&automatic_payment_methods%5Ballow_redirects%5D=never"
                           "&metadata%5Border_id%5D=0190a000-0000-7000-8000-000000000001");
    CU_ASSERT_STRING_EQUAL(buf_string(&form), buf_string(&again));
    buf_reset(&form, 0);
    stripe_form_refund(&form, &request, TEXT("pi_1"));
    CU_ASSERT_STRING_EQUAL(buf_string(&form),
                           "payment_intent=pi_1&metadata%5Border_id%5D=0190a000-0000-7000-8000-000000000001");
    buf_reset(&form, 0);
    stripe_path_search(&form, TEXT("a'b"));
    CU_ASSERT_STRING_EQUAL(buf_string(&form), "/v1/payment_intents/search?limit=10&query="
                                              "metadata%5B%27order_id%27%5D%3A%27a%27b%27");
    buf_fini(&again);
    buf_fini(&form);
}

static void test_ids(void)
{
    char longest[PAYMENT_REFERENCE_MAX + 2];
    memset(longest, 'a', sizeof longest);
    CU_ASSERT_TRUE(stripe_is_id(TEXT("pi_3MtwBwLkdIwHu7ix28a3tqPa")));
    CU_ASSERT_TRUE(stripe_is_id((struct text){longest, PAYMENT_REFERENCE_MAX}));
    CU_ASSERT_FALSE(stripe_is_id((struct text){longest, PAYMENT_REFERENCE_MAX + 1}));
    static const char *const others[] = {"", "pi_1/cancel", "pi_1?x", "../v1", "pi 1", "pi_1#", "pi-1", "é"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CU_ASSERT_FALSE(stripe_is_id(text_of(others[i])));
}

static void test_urls(void)
{
    static const struct {
        const char *url;
        enum err err;
    } rows[] = {
        {"https://api.stripe.com", ERR_NONE},        {"http://127.0.0.1:8080", ERR_NONE},
        {"http://127.1.2.3", ERR_NONE},              {"http://localhost:9", ERR_NONE},
        {"http://[::1]:9", ERR_NONE},                {"http://[::1]", ERR_NONE},
        {"http://api.stripe.com", ERR_CONFIG},       {"http://127.0.0.1.example.org", ERR_CONFIG},
        {"http://localhost.example.org", ERR_CONFIG}, {"http://10.0.0.1", ERR_CONFIG},
        {"http://[::2]", ERR_CONFIG},                {"http://", ERR_CONFIG},
        {"ftp://127.0.0.1", ERR_CONFIG},             {"", ERR_CONFIG},
        {"https://api.stripe.com/", ERR_CONFIG},     {"http://127.0.0.1@example.org", ERR_CONFIG},
        {"http://localhost@example.org", ERR_CONFIG}, {"http://127.0.0.1:80@example.org", ERR_CONFIG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_EQUAL(stripe_url_check(rows[i].url), rows[i].err);
}

static const struct suite_case cases[] = {
    {"each code is one of our reasons, and nothing else is declined for a reason", test_codes},
    {"each status of a charge and of a refund means one thing", test_statuses},
    {"each error means one thing, and none that may pass is a refusal", test_errors},
    {"what is not understood is no answer", test_what_is_not_understood},
    {"amounts are as the gateway counts them, or are not said", test_amounts},
    {"the same request is the same form", test_forms},
    {"ids are what may stand in a path", test_ids},
    {"keys are sent over TLS, or do not leave the machine", test_urls},
};

int main(void)
{
    int status = suite_main("payment_stripe_answer", cases, sizeof cases / sizeof cases[0]);
    arena_fini(&arena);
    return status;
}
