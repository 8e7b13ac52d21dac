/* The driver "stripe" against a gateway that goes wrong: whatever it does, one charge, one refund, one outcome. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "apps/order/payment.h"
#include "base/clock.h"
#include "check/harness/fake_gateway.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"

/* Long enough for a loaded machine to answer in, short enough to be waited for. */
enum { TIMEOUT_MS = 400, ASKS_MAX = 40, AMOUNT = 1250 };

static struct scratch scratch;
static struct fake_gateway *gateway;
static struct payment *payment;
static char key_path[SCRATCH_PATH_SIZE];

static void write_key(const char *key)
{
    FILE *file = fopen(key_path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(key, file);
    fclose(file);
    chmod(key_path, 0600);
}

static struct payment_opts opts_for(const char *url)
{
    return (struct payment_opts){.driver = "stripe", .stripe_url = url, .stripe_key_file = key_path,
                                 .webhook_secret_file = "", .timeout_ms = TIMEOUT_MS};
}

static void begin(void)
{
    scratch_init(&scratch);
    snprintf(key_path, sizeof key_path, "%s", scratch_path(&scratch, "key"));
    write_key(FAKE_GATEWAY_KEY "\n");
    gateway = fake_gateway_start(scratch_path(&scratch, "ledger.db"));
    struct payment_opts opts = opts_for(fake_gateway_url(gateway));
    CU_ASSERT_EQUAL_FATAL(payment_open(&opts, &payment), ERR_NONE);
}

static void end(void)
{
    payment_close(payment);
    CU_ASSERT_EQUAL(fake_gateway_misread(gateway), 0);
    fake_gateway_stop(gateway);
    scratch_fini(&scratch);
}

/* An order's payment, as the worker knows it. */
struct asking {
    char order_id[ID_SIZE];
    const char *method;
    const char *currency;
    int64_t amount_minor, asked_us;
    bool only_find_out;
    unsigned asks;
    struct payment_answer answer;
    char reference[PAYMENT_REFERENCE_MAX + 1];
};

static struct asking asking_with(const char *method)
{
    struct asking asking = {.method = method, .currency = "EUR", .amount_minor = AMOUNT};
    id_new(asking.order_id);
    return asking;
}

static void ask_once(struct asking *asking, void (*question)(struct payment *payment, const struct payment_request *,
                                                             struct payment_answer *))
{
    struct payment_request request = {
        .key = text_of(asking->order_id),
        .method = secret_of(text_of(asking->method)),
        .amount = {asking->amount_minor, currency_find(text_of(asking->currency))},
        .reference = *asking->reference ? text_of(asking->reference) : TEXT_NONE,
        .asked_us = asking->asked_us,
        .only_find_out = asking->only_find_out,
    };
    err_clear();
    question(payment, &request, &asking->answer);
    if (asking->answer.outcome == PAYMENT_UNKNOWN)
        CU_ASSERT_STRING_NOT_EQUAL(err_cause(), "");
    CU_ASSERT_PTR_NULL(strstr(err_cause(), FAKE_GATEWAY_KEY));
    CU_ASSERT_PTR_NULL(strstr(err_cause(), "pm_"));
    if (*asking->answer.reference)
        snprintf(asking->reference, sizeof asking->reference, "%s", asking->answer.reference);
    if (!asking->asked_us)
        asking->asked_us = clock_wall_us();
    asking->asks++;
}

static enum payment_outcome charge_once(struct asking *asking)
{
    ask_once(asking, payment_charge);
    return asking->answer.outcome;
}

static enum payment_outcome refund_once(struct asking *asking)
{
    ask_once(asking, payment_refund);
    return asking->answer.outcome;
}

/* As the worker does: until it is known. */
static enum payment_outcome charge(struct asking *asking)
{
    for (asking->asks = 0; asking->asks < ASKS_MAX && charge_once(asking) == PAYMENT_UNKNOWN;)
        continue;
    return asking->answer.outcome;
}

static enum payment_outcome refund(struct asking *asking)
{
    asking->asked_us = 0;
    for (asking->asks = 0; asking->asks < ASKS_MAX && refund_once(asking) == PAYMENT_UNKNOWN;)
        continue;
    return asking->answer.outcome;
}

static int64_t charges(void)
{
    return fake_gateway_number(gateway, "SELECT count(*) FROM charge");
}

static int64_t refunds(void)
{
    return fake_gateway_number(gateway, "SELECT count(*) FROM refund");
}

/* ---- without faults ---- */

static void test_methods(void)
{
    static const struct {
        const char *method;
        enum payment_outcome outcome;
        const char *reason;
    } rows[] = {
        {"pm_card_visa", PAYMENT_APPROVED, "declined"},
        {"pm_card_visa_chargeDeclined", PAYMENT_DECLINED, "declined"},
        {"pm_card_visa_chargeDeclinedInsufficientFunds", PAYMENT_DECLINED, "insufficient_funds"},
        {"pm_card_visa_chargeDeclinedLostCard", PAYMENT_DECLINED, "declined"},
        {"pm_card_visa_chargeDeclinedStolenCard", PAYMENT_DECLINED, "declined"},
        {"pm_card_visa_chargeDeclinedVelocityLimitExceeded", PAYMENT_DECLINED, "limit_exceeded"},
        {"pm_card_chargeDeclinedExpiredCard", PAYMENT_DECLINED, "card_expired"},
        {"pm_card_chargeDeclinedIncorrectCvc", PAYMENT_DECLINED, "incorrect_details"},
        {"pm_card_chargeDeclinedProcessingError", PAYMENT_DECLINED, "issuer_unavailable"},
        {"pm_card_authenticationRequired", PAYMENT_DECLINED, "authentication_required"},
        {"pm_of_nobody", PAYMENT_DECLINED, "method_unusable"},
        {"", PAYMENT_DECLINED, "method_unusable"},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct asking asking = asking_with(rows[i].method);
        for (int again = 0; again < 3; again++) {
            CU_ASSERT_EQUAL(charge_once(&asking), rows[i].outcome);
            CU_ASSERT_STRING_EQUAL(payment_reason_name(asking.answer.reason), rows[i].reason);
        }
    }
    CU_ASSERT_EQUAL(charges(), 1);
    CU_ASSERT_EQUAL(fake_gateway_number(gateway, "SELECT amount_minor FROM charge WHERE currency = 'EUR'"), AMOUNT);
    CU_ASSERT_EQUAL(fake_gateway_asked(gateway, GATEWAY_CANCEL), 1);
    CU_ASSERT_EQUAL(fake_gateway_number(gateway, "SELECT count(*) FROM intent WHERE status = 'requires_action'"), 0);
    end();
}

static void test_amounts(void)
{
    begin();
    struct asking free_of_charge = asking_with("pm_card_visa"), tiny = free_of_charge, odd = free_of_charge,
                  yen = free_of_charge;
    id_new(tiny.order_id), id_new(odd.order_id), id_new(yen.order_id);
    free_of_charge.amount_minor = 0;
    CU_ASSERT_EQUAL(charge(&free_of_charge), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(fake_gateway_asked(gateway, GATEWAY_CHARGE), 0);
    odd.currency = "KWD", odd.amount_minor = 1234;
    CU_ASSERT_EQUAL(charge(&odd), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(odd.answer.reason, PAYMENT_REASON_AMOUNT_REFUSED);
    CU_ASSERT_EQUAL(fake_gateway_asked(gateway, GATEWAY_CHARGE), 0);
    tiny.amount_minor = 1;
    CU_ASSERT_EQUAL(charge(&tiny), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(tiny.answer.reason, PAYMENT_REASON_AMOUNT_REFUSED);
    yen.currency = "JPY", yen.amount_minor = 800;
    CU_ASSERT_EQUAL(charge(&yen), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(fake_gateway_number(gateway, "SELECT amount_minor FROM charge WHERE currency = 'JPY'"), 800);
    end();
}

static void test_refund(void)
{
    begin();
    struct asking asking = asking_with("pm_card_visa"), declined = asking_with("pm_card_visa_chargeDeclined"),
                  never = asking_with("pm_card_visa");
    CU_ASSERT_EQUAL(charge(&asking), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(refund(&asking), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(refund(&asking), PAYMENT_APPROVED);
    fake_gateway_forget(gateway);
    CU_ASSERT_EQUAL(refund(&asking), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(refunds(), 1);
    CU_ASSERT_EQUAL(fake_gateway_number(gateway, "SELECT amount_minor FROM refund"), AMOUNT);
    /* Without a reference it is looked for, and nothing is ever charged to find out. */
    asking.reference[0] = '\0';
    CU_ASSERT_EQUAL(refund(&asking), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(refund(&never), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(charge(&declined), PAYMENT_DECLINED);
    declined.reference[0] = '\0';
    CU_ASSERT_EQUAL(refund(&declined), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(refunds(), 1);
    CU_ASSERT_EQUAL(charges(), 1);
    end();
}

/* ---- each fault ---- */

/* A kept connection that ends before anything was said is not told from one that had ended before: the client then
 * sends the request once more by itself, which the key makes harmless. */
static const struct {
    enum gateway_fault fault;
    bool is_told_to_wait, is_seen_through;
} faults[] = {
    {GATEWAY_LATE, false, false},
    {GATEWAY_FAILED_BEFORE, false, false},
    {GATEWAY_FAILED_AFTER, false, false},
    {GATEWAY_UNAVAILABLE, false, false},
    {GATEWAY_TOO_MANY, true, false},
    {GATEWAY_IN_USE, false, false},
    {GATEWAY_NO_ENTRY, false, false},
    {GATEWAY_DROPPED_BEFORE, false, true},
    {GATEWAY_DROPPED_AFTER, false, true},
    {GATEWAY_GARBAGE, false, false},
    {GATEWAY_CUT_OFF, false, false},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static void test_each_fault_of_a_charge(void)
{
    begin();
    for (size_t i = 0; i < FAULTS; i++) {
        struct asking good = asking_with("pm_card_visa"), bad = asking_with("pm_card_chargeDeclinedExpiredCard");
        fake_gateway_hide(gateway, true);
        fake_gateway_fault(gateway, GATEWAY_CHARGE, faults[i].fault, 1);
        CU_ASSERT_TRUE(charge_once(&good) == PAYMENT_UNKNOWN || faults[i].is_seen_through);
        CU_ASSERT_EQUAL(good.answer.retry_after_s > 0, faults[i].is_told_to_wait);
        fake_gateway_fault(gateway, GATEWAY_CHARGE, faults[i].fault, 1);
        CU_ASSERT_TRUE(charge_once(&bad) == PAYMENT_UNKNOWN || faults[i].is_seen_through);
        fake_gateway_hide(gateway, false);
        CU_ASSERT_EQUAL(charge(&good), PAYMENT_APPROVED);
        CU_ASSERT_EQUAL(charge(&bad), PAYMENT_DECLINED);
        CU_ASSERT_EQUAL(bad.answer.reason, PAYMENT_REASON_CARD_EXPIRED);
        CU_ASSERT_EQUAL(charges(), (int64_t)i + 1);
        CU_ASSERT_EQUAL(fake_gateway_number(gateway, "SELECT max(n) FROM (SELECT count(*) AS n FROM intent"
                                                     " GROUP BY order_id)"), 1);
    }
    end();
}

static void test_each_fault_of_a_refund(void)
{
    begin();
    for (size_t i = 0; i < FAULTS; i++) {
        struct asking asking = asking_with("pm_card_visa");
        CU_ASSERT_EQUAL(charge(&asking), PAYMENT_APPROVED);
        fake_gateway_fault(gateway, GATEWAY_REFUND, faults[i].fault, 2);
        CU_ASSERT_EQUAL(refund(&asking), PAYMENT_APPROVED);
        CU_ASSERT_EQUAL(refunds(), (int64_t)i + 1);
    }
    CU_ASSERT_EQUAL(charges(), FAULTS);
    end();
}

/* What needs its customer is given up, however that goes wrong, and cannot be completed later. */
static void test_each_fault_of_giving_up(void)
{
    begin();
    for (size_t i = 0; i < FAULTS; i++) {
        struct asking asking = asking_with("pm_card_authenticationRequired");
        fake_gateway_fault(gateway, GATEWAY_CANCEL, faults[i].fault, 1);
        CU_ASSERT_TRUE(charge_once(&asking) == PAYMENT_UNKNOWN || faults[i].is_seen_through);
        CU_ASSERT_STRING_NOT_EQUAL(asking.reference, "");
        CU_ASSERT_EQUAL(charge(&asking), PAYMENT_DECLINED);
        CU_ASSERT_EQUAL(asking.answer.reason, PAYMENT_REASON_AUTHENTICATION_REQUIRED);
    }
    CU_ASSERT_EQUAL(charges(), 0);
    CU_ASSERT_EQUAL(fake_gateway_number(gateway, "SELECT count(*) FROM intent WHERE status <> 'canceled'"), 0);
    end();
}

/* Any two faults in a row, at the charge and at the ways to find out about it. */
static void test_sequences_of_faults(void)
{
    begin();
    int64_t expected = 0;
    for (size_t i = 0; i < FAULTS; i++) {
        for (size_t j = 0; j < FAULTS; j++) {
            if (faults[j].fault == GATEWAY_LATE)
                continue;      /* nothing that it is not as the first, and much time */
            struct asking asking = asking_with("pm_card_visa");
            fake_gateway_fault(gateway, GATEWAY_CHARGE, faults[i].fault, 1);
            fake_gateway_fault(gateway, GATEWAY_CHARGE, faults[j].fault, 1);
            fake_gateway_fault(gateway, GATEWAY_SEARCH, faults[j].fault, 1);
            fake_gateway_fault(gateway, GATEWAY_RETRIEVE, faults[j].fault, 1);
            CU_ASSERT_EQUAL(charge(&asking), PAYMENT_APPROVED);
            CU_ASSERT_EQUAL(charges(), ++expected);
            fake_gateway_fault(gateway, GATEWAY_REFUND, faults[i].fault, 1);
            fake_gateway_fault(gateway, GATEWAY_LIST, faults[j].fault, 1);
            CU_ASSERT_EQUAL(refund(&asking), PAYMENT_APPROVED);
            CU_ASSERT_EQUAL(refunds(), expected);
            fake_gateway_calm(gateway);
        }
    }
    end();
}

static void test_storm(void)
{
    static const char *const methods[] = {"pm_card_visa", "pm_card_visa_chargeDeclinedInsufficientFunds",
                                          "pm_card_authenticationRequired"};
    int64_t approved = 0;
    begin();
    fake_gateway_storm(gateway, 50, 42);
    for (int i = 0; i < 60; i++) {
        struct asking asking = asking_with(methods[i % 3]);
        CU_ASSERT_EQUAL(charge(&asking), i % 3 == 0 ? PAYMENT_APPROVED : PAYMENT_DECLINED);
        approved += i % 3 == 0;
        if (i % 6 == 0)
            CU_ASSERT_EQUAL(refund(&asking), PAYMENT_APPROVED);
    }
    fake_gateway_storm(gateway, 0, 0);
    CU_ASSERT_EQUAL(charges(), approved);
    CU_ASSERT_EQUAL(refunds(), approved / 2);
    end();
}

/* ---- time ---- */

static void test_processing(void)
{
    begin();
    struct asking asking = asking_with("pm_usBankAccount_processing");
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    CU_ASSERT_STRING_NOT_EQUAL(asking.reference, "");
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    fake_gateway_complete(gateway, asking.order_id);
    /* The key would say "processing" for ever. */
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(fake_gateway_asked(gateway, GATEWAY_CHARGE), 1);
    CU_ASSERT_EQUAL(charges(), 1);
    end();
}

/* A day later the gateway has forgotten the key, and would charge for it again. */
static void test_forgotten_key(void)
{
    begin();
    struct asking asking = asking_with("pm_card_visa"), unheard = asking_with("pm_card_visa");
    fake_gateway_fault(gateway, GATEWAY_CHARGE, GATEWAY_LATE, 1);
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(asking.reference, "");
    fake_gateway_forget(gateway);
    asking.asked_us -= INT64_C(24) * 3600 * US_PER_S;
    fake_gateway_fault(gateway, GATEWAY_SEARCH, GATEWAY_UNAVAILABLE, 1);
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charges(), 1);
    unheard.asked_us = asking.asked_us;
    CU_ASSERT_EQUAL(charge_once(&unheard), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charges(), 2);
    end();
}

/* 500 is what its key will say for a day; meanwhile what was done has to be found. */
static void test_stored_failure(void)
{
    begin();
    struct asking asking = asking_with("pm_card_visa");
    fake_gateway_hide(gateway, true);
    fake_gateway_fault(gateway, GATEWAY_CHARGE, GATEWAY_FAILED_AFTER, 1);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    fake_gateway_hide(gateway, false);
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charges(), 1);
    end();
}

/* Nobody wants it any more: there is a charge only where one was made before. */
static void test_only_found_out(void)
{
    begin();
    struct asking unheard = asking_with("pm_card_visa"), made = asking_with("pm_card_visa");
    unheard.only_find_out = true;
    CU_ASSERT_EQUAL(charge(&unheard), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(charge(&unheard), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(charges(), 0);
    fake_gateway_fault(gateway, GATEWAY_CHARGE, GATEWAY_DROPPED_AFTER, 1);
    charge_once(&made);
    *made.reference = '\0';
    made.only_find_out = true;
    CU_ASSERT_EQUAL(charge(&made), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charges(), 1);
    end();
}

/* Told by a notice, though nothing else can be found. */
static void test_reference_from_a_notice(void)
{
    begin();
    struct asking asking = asking_with("pm_card_visa"), other = asking_with("pm_card_visa");
    fake_gateway_hide(gateway, true);
    fake_gateway_fault(gateway, GATEWAY_CHARGE, GATEWAY_FAILED_AFTER, 1);
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    fake_gateway_intent(gateway, asking.order_id, asking.reference, sizeof asking.reference);
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_APPROVED);
    /* Another order's reference says nothing of this one; one that the gateway does not know is another account's, at
     * which there may be a charge. */
    snprintf(other.reference, sizeof other.reference, "%s", asking.reference);
    CU_ASSERT_EQUAL(charge_once(&other), PAYMENT_APPROVED);
    CU_ASSERT_STRING_NOT_EQUAL(other.reference, asking.reference);
    struct asking third = asking_with("pm_card_visa_chargeDeclined");
    snprintf(third.reference, sizeof third.reference, "pi_unheard_of");
    CU_ASSERT_EQUAL(charge_once(&third), PAYMENT_UNKNOWN);
    CU_ASSERT_EQUAL(charges(), 2);
    end();
}

/* ---- two at once ---- */

static void *charge_beside(void *context)
{
    charge_once(context);
    return NULL;
}

static bool is_held(void *context)
{
    (void)context;
    return fake_gateway_held(gateway) == 1;
}

static void test_two_at_once(void)
{
    pthread_t thread;
    begin();
    struct asking first = asking_with("pm_card_visa"), second = first;
    fake_gateway_fault(gateway, GATEWAY_CHARGE, GATEWAY_HELD, 1);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, charge_beside, &first), 0);
    CU_ASSERT_TRUE(scratch_eventually(is_held, NULL));
    struct payment_request request = {.key = text_of(second.order_id), .method = secret_of(TEXT("pm_card_visa")),
                                      .amount = {AMOUNT, currency_find(TEXT("EUR"))}};
    payment_charge(payment, &request, &second.answer);
    CU_ASSERT_EQUAL(second.answer.outcome, PAYMENT_UNKNOWN);
    fake_gateway_release(gateway);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(charge(&first), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charge(&second), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charges(), 1);
    end();
}

/* ---- settings ---- */

/* Asked with another amount: its key was used, and is not taken for this. */
static void test_other_amount(void)
{
    begin();
    struct asking asking = asking_with("pm_card_visa");
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_APPROVED);
    asking.reference[0] = '\0';
    asking.amount_minor += 100;
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    CU_ASSERT_EQUAL(charges(), 1);
    end();
}

static void test_key(void)
{
    begin();
    struct asking asking = asking_with("pm_card_visa");
    write_key("sk_test_of_somebody_else\n");
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "payment.stripe_key_file"));
    write_key("");
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_UNKNOWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "payment.stripe_key_file"));
    write_key(FAKE_GATEWAY_KEY);
    CU_ASSERT_EQUAL(charge_once(&asking), PAYMENT_APPROVED);
    end();
}

static enum err try_to_open(struct payment_opts opts)
{
    struct payment *none = NULL;
    enum err err = payment_open(&opts, &none);
    CU_ASSERT_PTR_NULL(none);
    return err;
}

static void test_open(void)
{
    begin();
    const char *url = fake_gateway_url(gateway);
    struct payment_opts opts = opts_for("http://gateway.example.org");
    CU_ASSERT_EQUAL(try_to_open(opts), ERR_CONFIG);
    opts = opts_for(url);
    opts.stripe_key_file = "";
    CU_ASSERT_EQUAL(try_to_open(opts), ERR_CONFIG);
    opts.stripe_key_file = scratch_path(&scratch, "missing");
    CU_ASSERT_EQUAL(try_to_open(opts), ERR_IO);
    opts = opts_for(url);
    opts.webhook_secret_file = scratch_path(&scratch, "missing");
    CU_ASSERT_EQUAL(try_to_open(opts), ERR_IO);
    opts = opts_for(url);
    chmod(key_path, 0644);
    CU_ASSERT_EQUAL(try_to_open(opts), ERR_CONFIG);
    CU_ASSERT_PTR_NULL(payment_notice_header(payment));
    CU_ASSERT_TRUE(payment_needs_method(payment));
    CU_ASSERT_EQUAL(payment_batch_max(payment), 1);
    end();
}

static const struct suite_case cases[] = {
    {"each test method ends as documented, with our reason, however often it is asked", test_methods},
    {"amounts that cannot be charged are refused", test_amounts},
    {"a charge is given back once, and nothing that was not charged", test_refund},
    {"after each fault of a charge it is known in the end, and charged once", test_each_fault_of_a_charge},
    {"after each fault of a refund it is known in the end, and given back once", test_each_fault_of_a_refund},
    {"what needs its customer is given up, whatever goes wrong", test_each_fault_of_giving_up},
    {"whatever follows upon whatever, there is one charge and one refund", test_sequences_of_faults},
    {"in a storm each has its outcome", test_storm},
    {"what is processing is asked about by its reference", test_processing},
    {"a key that was forgotten is not charged again", test_forgotten_key},
    {"a failure that the key stands for is seen through", test_stored_failure},
    {"for an order that was cancelled it is found out, and nothing is charged", test_only_found_out},
    {"a reference from elsewhere helps, and does no harm", test_reference_from_a_notice},
    {"two questions at once are one charge", test_two_at_once},
    {"a key that was used for another amount charges nothing", test_other_amount},
    {"a wrong key is never a refusal, and a new one is taken at once", test_key},
    {"what is needed is asked for at the start", test_open},
};

int main(void)
{
    return suite_main("payment_stripe", cases, sizeof cases / sizeof cases[0]);
}
