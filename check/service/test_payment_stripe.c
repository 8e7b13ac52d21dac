/* Orders paid by way of Stripe, or of what stands for it here: through a real front, with a gateway that goes wrong. */
#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "check/harness/fake_gateway.h"
#include "check/harness/process.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

#define SECRET "whsec_of_the_test"
#define OLD_SECRET "whsec_that_was_before"
#define EVENTS "/v1/payments/events"

enum { PATIENCE_MS = 20000, EVENT_MAX_BYTES = 512 * 1024 };

static struct fake_gateway *gateway;

static struct order_here {
    struct http_client *client;
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
} order;

/* ---- steps ---- */

static void place(const char *method, int64_t pieces)
{
    order.client = variant_new_customer();
    step_item(10, order.sku);
    struct http_answer *answer = step_order(order.client, order.sku, pieces, method);
    EXPECT_STATUS(answer, 201);
    snprintf(order.id, sizeof order.id, "%s", http_json_text(answer, "/id"));
}

static int64_t ledger(const char *table)
{
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE key LIKE '%s%%'", table, order.id);
    return fake_gateway_number(gateway, sql);
}

static const char *last_cause(void)
{
    char path[128], pointer[32];
    snprintf(path, sizeof path, "/v1/orders/%s/history", order.id);
    struct http_answer *answer = http_get(order.client, path);
    snprintf(pointer, sizeof pointer, "/items/%d/cause", http_json_length(answer, "/items") - 1);
    return http_json_text(answer, pointer);
}

/* ---- outcomes ---- */

static void test_approved(void)
{
    place("pm_card_visa", 2);
    step_await(order.client, order.id, "paid");
    step_await_stock(order.sku, 8, 0);
    CU_ASSERT_EQUAL(ledger("charge"), 1);
    CU_ASSERT_EQUAL(fake_gateway_number(gateway, "SELECT amount_minor FROM charge WHERE currency = 'EUR'"
                                                 " ORDER BY rowid DESC"), 2500);
    CU_ASSERT_EQUAL(fake_gateway_misread(gateway), 0);
}

static void test_declined(void)
{
    static const struct {
        const char *method, *cause;
    } rows[] = {
        {"pm_card_visa_chargeDeclined", "payment declined"},
        {"pm_card_visa_chargeDeclinedInsufficientFunds", "payment declined: insufficient_funds"},
        {"pm_card_chargeDeclinedExpiredCard", "payment declined: card_expired"},
        {"pm_card_authenticationRequired", "payment declined: authentication_required"},
        {"pm_of_nobody", "payment declined: method_unusable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        place(rows[i].method, 3);
        step_await(order.client, order.id, "cancelled");
        CU_ASSERT_STRING_EQUAL(last_cause(), rows[i].cause);
        step_await_stock(order.sku, 10, 0);
        CU_ASSERT_EQUAL(ledger("charge"), 0);
    }
    CU_ASSERT(step_metric("tandem_payments_declined_total{reason=\"insufficient_funds\"}") > 0);
}

static void test_unknown_until_known(void)
{
    static const enum gateway_fault faults[] = {GATEWAY_LATE, GATEWAY_FAILED_AFTER, GATEWAY_DROPPED_AFTER,
                                                GATEWAY_GARBAGE};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fake_gateway_fault(gateway, GATEWAY_CHARGE, faults[i], 2);
        place("pm_card_visa", 1);
        step_await(order.client, order.id, "paid");
        CU_ASSERT_EQUAL(ledger("charge"), 1);
        fake_gateway_calm(gateway);
    }
}

static bool is_held(void *context)
{
    (void)context;
    return fake_gateway_held(gateway) == 1;
}

static bool is_refunded(void *context)
{
    (void)context;
    return ledger("refund") == 1;
}

/* The charge is made when the order is cancelled, and nobody here knows it yet. */
static void test_cancelled_while_charging(void)
{
    char path[128];
    fake_gateway_fault(gateway, GATEWAY_CHARGE, GATEWAY_HELD, 1);
    fake_gateway_fault(gateway, GATEWAY_REFUND, GATEWAY_FAILED_AFTER, 1);
    place("pm_card_visa", 4);
    CU_ASSERT(process_until(is_held, NULL, PATIENCE_MS));
    snprintf(path, sizeof path, "/v1/orders/%s/cancel", order.id);
    EXPECT_STATUS(http_send_nothing(order.client, "POST", path), 200);
    fake_gateway_release(gateway);
    CU_ASSERT(process_until(is_refunded, NULL, PATIENCE_MS));
    step_await_stock(order.sku, 10, 0);
    step_await(order.client, order.id, "cancelled");
    CU_ASSERT_EQUAL(ledger("charge"), 1);
    CU_ASSERT_EQUAL(ledger("refund"), 1);
    fake_gateway_calm(gateway);
}

static void test_method_needed(void)
{
    struct http_client *client = variant_new_customer();
    step_item(1, order.sku);
    struct http_answer *answer = step_order(client, order.sku, 1, NULL);
    EXPECT_PROBLEM(answer, 422, "invalid");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/errors/0/pointer"), "/payment_method");
}

/* ---- what the gateway tells ---- */

static struct http_answer *tell(const char *secret, int64_t from_now_s, struct text body)
{
    char signature[FAKE_SIGNATURE_SIZE];
    struct http_client *client = variant_anonymous();
    fake_gateway_sign(secret, clock_wall_us() / US_PER_S + from_now_s, body, signature);
    http_with(client, "Stripe-Signature: %s", signature);
    http_with(client, "Content-Type: application/json; charset=utf-8");
    return http_send_bytes(client, "POST", EVENTS, body.at, body.length);
}

static struct http_answer *tell_of(const char *type, const char *order_id)
{
    struct buf body;
    buf_init(&body, EVENT_MAX_BYTES);
    fake_gateway_event(gateway, type, order_id, &body);
    struct http_answer *answer = tell(SECRET, 0, buf_text(&body));
    buf_fini(&body);
    return answer;
}

static bool was_refused(void *context)
{
    const unsigned *asked = context;
    return fake_gateway_asked(gateway, GATEWAY_CHARGE) > *asked;
}

static bool is_charged(void *context)
{
    (void)context;
    return ledger("charge") == 1;
}

/* The gateway has charged and does not come to say so, until it says itself where there is something to know. */
static void test_event_makes_it_known(void)
{
    fake_gateway_fault(gateway, GATEWAY_CHARGE, GATEWAY_HELD, 1);
    place("pm_card_visa", 1);
    step_await(order.client, order.id, "reserved");
    CU_ASSERT(process_until(is_charged, NULL, PATIENCE_MS));
    EXPECT_STATUS(tell_of("payment_intent.succeeded", order.id), 204);
    step_await(order.client, order.id, "paid");
    fake_gateway_release(gateway);
    CU_ASSERT_EQUAL(ledger("charge"), 1);
}

/* What it says is not taken for what there is. */
static void test_event_is_no_proof(void)
{
    char path[128];
    unsigned asked = fake_gateway_asked(gateway, GATEWAY_CHARGE);
    place("pm_usBankAccount_processing", 1);
    CU_ASSERT(process_until(was_refused, &asked, PATIENCE_MS));
    EXPECT_STATUS(tell_of("payment_intent.succeeded", order.id), 204);
    EXPECT_STATUS(tell_of("payment_intent.payment_failed", order.id), 204);
    step_await(order.client, order.id, "reserved");
    CU_ASSERT_EQUAL(ledger("charge"), 0);
    fake_gateway_complete(gateway, order.id);
    EXPECT_STATUS(tell_of("payment_intent.succeeded", order.id), 204);
    step_await(order.client, order.id, "paid");
    /* Late, repeated and of the past: nothing comes of it. */
    EXPECT_STATUS(tell_of("payment_intent.payment_failed", order.id), 204);
    EXPECT_STATUS(tell_of("payment_intent.succeeded", order.id), 204);
    EXPECT_STATUS(tell_of("charge.refunded", order.id), 204);
    step_await(order.client, order.id, "paid");
    snprintf(path, sizeof path, "/v1/orders/%s", order.id);
    CU_ASSERT_EQUAL(http_json_integer(http_get(order.client, path), "/version"), 3);
}

static void test_events_that_mean_nothing(void)
{
    static const char *const types[] = {"customer.created", "made.up.tomorrow", "charge.dispute.created"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        EXPECT_STATUS(tell_of(types[i], "0190a000-0000-7000-8000-00000000dead"), 204);
    EXPECT_STATUS(tell_of("payment_intent.succeeded", "0190a000-0000-7000-8000-00000000dead"), 204);
    EXPECT_STATUS(tell_of("refund.failed", "0190a000-0000-7000-8000-00000000dead"), 204);
    EXPECT_STATUS(tell_of("payment_intent.succeeded", "not-an-order"), 204);
    EXPECT_STATUS(tell(OLD_SECRET, 0, TEXT("{\"type\":\"customer.created\"}")), 204);
}

static void test_events_that_are_refused(void)
{
    const struct text body = TEXT("{\"type\":\"customer.created\"}");
    struct http_client *client = variant_anonymous();
    EXPECT_PROBLEM(tell("whsec_of_somebody", 0, body), 400, "bad-signature");
    EXPECT_PROBLEM(tell(SECRET, -301, body), 400, "bad-signature");
    EXPECT_PROBLEM(tell(SECRET, 302, body), 400, "bad-signature");
    EXPECT_STATUS(tell(SECRET, -200, body), 204);
    EXPECT_PROBLEM(http_send(client, "POST", EVENTS, "{}"), 400, "bad-signature");
    http_with(client, "Stripe-Signature: t=1,v1=zz");
    EXPECT_PROBLEM(http_send(client, "POST", EVENTS, "{}"), 400, "bad-signature");
    http_with(client, "Stripe-Signature: t=1,v1=zz");
    EXPECT_PROBLEM(http_send_nothing(client, "POST", EVENTS), 400, "bad-signature");
    EXPECT_PROBLEM(tell(SECRET, 0, TEXT("{\"type\":")), 400, "malformed");
    EXPECT_PROBLEM(tell(SECRET, 0, TEXT("")), 400, "malformed");
    EXPECT_PROBLEM(http_get(client, EVENTS), 405, "method");
    char *large = calloc(1, 256 * 1024 + 2);
    memset(large, ' ', 256 * 1024 + 1);
    EXPECT_PROBLEM(tell(SECRET, 0, text_of(large)), 413, "too-large");
    free(large);
    CU_ASSERT(step_metric("tandem_payment_events_total{result=\"refused\"}") > 0);
    CU_ASSERT(step_metric("tandem_payment_events_total{result=\"malformed\"}") > 0);
    CU_ASSERT(step_metric("tandem_payment_events_total{result=\"ignored\"}") > 0);
}

/* ---- what never comes near ---- */

static const char *const numbers[] = {"4242424242424242", "4242-4242-4242-4242", "4242 4242 4242 4242",
                                      "card_378282246310005"};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static unsigned files_read;
static char found_in[256];

static bool has_number(const char *bytes, size_t length)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        if (memmem(bytes, length, numbers[i], strlen(numbers[i])))
            return true;
    }
    return memmem(bytes, length, "378282246310005", 15) != NULL;
}

static int look_into(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)at;
    if (type != FTW_F || !S_ISREG(status->st_mode) || status->st_size == 0)
        return 0;
    FILE *file = fopen(path, "re");
    char *bytes = malloc((size_t)status->st_size);
    size_t length = file && bytes ? fread(bytes, 1, (size_t)status->st_size, file) : 0;
    files_read += length > 0;
    if (length > 0 && has_number(bytes, length))
        snprintf(found_in, sizeof found_in, "%s", path);
    free(bytes);
    if (file)
        fclose(file);
    return 0;
}

static void test_card_numbers(void)
{
    struct http_client *client = variant_new_customer();
    step_item(1, order.sku);
    for (size_t i = 0; i < NUMBERS; i++) {
        struct http_answer *answer = step_order(client, order.sku, 1, numbers[i]);
        EXPECT_PROBLEM(answer, 422, "invalid");
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/errors/0/pointer"), "/payment_method");
        CU_ASSERT_PTR_NOT_NULL(strstr(http_json_text(answer, "/errors/0/reason"), "card number"));
        CU_ASSERT_FALSE(has_number(answer->body, answer->body_bytes));
        CU_ASSERT_FALSE(has_number(answer->headers, strlen(answer->headers)));
    }
    CU_ASSERT_EQUAL(http_json_length(http_get(client, "/v1/orders"), "/items"), 0);
    http_get(variant_anonymous(), "/order/metrics");
    /* Databases, their logs, the bus, traces, metrics, and what all of them and the front have logged. */
    files_read = 0;
    found_in[0] = '\0';
    CU_ASSERT_EQUAL(nftw(system_folder(variant_system()), look_into, 16, FTW_PHYS), 0);
    CU_ASSERT_STRING_EQUAL(found_in, "");
    CU_ASSERT(files_read > 10);
    char *traces = http_get(variant_anonymous(), "/order/traces")->body;
    CU_ASSERT_FALSE(has_number(traces, strlen(traces)));
}

static const struct suite_case cases[] = {
    {"an approved charge pays the order, once", test_approved},
    {"a declined one cancels it, and its history says why", test_declined},
    {"what is not known is asked until it is, and charged once", test_unknown_until_known},
    {"a charge that lost the race with a cancellation is given back, once", test_cancelled_while_charging},
    {"how is paid has to be said", test_method_needed},
    {"an event of the gateway makes known what was not", test_event_makes_it_known},
    {"an event is no proof of what it says", test_event_is_no_proof},
    {"events that mean nothing here are taken", test_events_that_mean_nothing},
    {"events that are not signed as they should be are refused", test_events_that_are_refused},
    {"a card number is refused, and is nowhere", test_card_numbers},
};

/* ---- the gateway, and what the service has to know of it ---- */

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "we");
    if (!file || fputs(content, file) < 0 || fclose(file) != 0 || chmod(path, 0600) != 0)
        abort();
}

int main(void)
{
    static char url[128], key_file[256], secret_file[256], key[200], secrets[200];
    char ledger_file[256], *folder = process_folder();
    if (!folder)
        return EXIT_FAILURE;
    snprintf(key, sizeof key, "%s/key", folder);
    snprintf(secrets, sizeof secrets, "%s/secrets", folder);
    snprintf(ledger_file, sizeof ledger_file, "%s/ledger.db", folder);
    write_file(key, FAKE_GATEWAY_KEY "\n");
    write_file(secrets, SECRET "\n" OLD_SECRET "\n");
    gateway = fake_gateway_start(ledger_file);
    snprintf(url, sizeof url, "payment.stripe_url=%s", fake_gateway_url(gateway));
    snprintf(key_file, sizeof key_file, "payment.stripe_key_file=%s", key);
    snprintf(secret_file, sizeof secret_file, "payment.webhook_secret_file=%s", secrets);
    const char *const settings[] = {"payment.driver=stripe", url, key_file, secret_file, "payment.timeout_ms=1000",
                                    "payment.retry_first_ms=50", "log.level=debug", NULL};
    int status = variants_main("payment_stripe", cases, sizeof cases / sizeof cases[0], settings);
    fake_gateway_stop(gateway);
    process_remove(folder);
    free(folder);
    return status;
}
