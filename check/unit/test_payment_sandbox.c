#include "config.h"

#include <stdio.h>

#include "apps/order/payment.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"

static struct scratch scratch;
static struct payment *payment;

static void open_payment(void)
{
    struct payment_opts opts = {.driver = "sandbox", .sandbox_file = scratch_path(&scratch, "payments.db"),
                                .busy_timeout_ms = 1000};
    CU_ASSERT_EQUAL_FATAL(payment_open(&opts, &payment), ERR_NONE);
}

static void begin(void)
{
    scratch_init(&scratch);
    open_payment();
}

static void end(void)
{
    payment_close(payment);
    payment = NULL;
    scratch_fini(&scratch);
}

static struct payment_request request_of(const char *key, const char *method, int64_t amount_minor)
{
    return (struct payment_request){.key = text_of(key), .method = secret_of(text_of(method)),
                                    .amount = {amount_minor, currency_find(TEXT("EUR"))}};
}

static enum payment_outcome charge(const char *key, const char *method, int64_t amount_minor)
{
    struct payment_request request = request_of(key, method, amount_minor);
    struct payment_answer answer;
    payment_charge(payment, &request, &answer);
    return answer.outcome;
}

static enum payment_outcome refund(const char *key, int64_t amount_minor)
{
    struct payment_request request = request_of(key, "", amount_minor);
    struct payment_answer answer;
    payment_refund(payment, &request, &answer);
    return answer.outcome;
}

/* What the ledger says, read as somebody else would. */
static int64_t ledger(const char *sql)
{
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "payments.db"));
    struct db *db;
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    int64_t value = scratch_number(db, sql);
    db_close(db);
    return value;
}

static const char CHARGED[] =
    "SELECT coalesce(sum(amount_minor), 0) FROM charge WHERE state IN ('approved', 'refunded')";

static void test_rules(void)
{
    static const struct {
        const char *method;
        enum payment_outcome first, second;
    } rules[] = {
        {"", PAYMENT_APPROVED, PAYMENT_APPROVED},
        {"sandbox_approve", PAYMENT_APPROVED, PAYMENT_APPROVED},
        {"sandbox_decline", PAYMENT_DECLINED, PAYMENT_DECLINED},
        {"sandbox_timeout", PAYMENT_UNKNOWN, PAYMENT_UNKNOWN},
        {"sandbox_timeout_once", PAYMENT_UNKNOWN, PAYMENT_APPROVED},
        {"pm_somebody_elses", PAYMENT_DECLINED, PAYMENT_DECLINED},
    };
    begin();
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char key[16];
        snprintf(key, sizeof key, "order-%zu", i);
        CU_ASSERT_EQUAL(charge(key, rules[i].method, 100), rules[i].first);
        CU_ASSERT_EQUAL(charge(key, rules[i].method, 100), rules[i].second);
        CU_ASSERT_EQUAL(charge(key, rules[i].method, 100), rules[i].second);
    }
    CU_ASSERT_EQUAL(ledger(CHARGED), 300);
    end();
}

static void test_restart(void)
{
    begin();
    CU_ASSERT_EQUAL(charge("a", "sandbox_timeout_once", 1250), PAYMENT_UNKNOWN);
    CU_ASSERT_EQUAL(charge("b", "sandbox_approve", 100), PAYMENT_APPROVED);
    payment_close(payment);
    open_payment();
    CU_ASSERT_EQUAL(charge("a", "sandbox_timeout_once", 1250), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charge("b", "sandbox_approve", 100), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(ledger(CHARGED), 1350);
    CU_ASSERT_EQUAL(ledger("SELECT count(*) FROM charge"), 2);
    end();
}

static void test_refund(void)
{
    begin();
    CU_ASSERT_EQUAL(charge("a", "sandbox_approve", 100), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(refund("a", 100), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(refund("a", 100), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(ledger("SELECT count(*) FROM charge WHERE state = 'refunded'"), 1);
    CU_ASSERT_EQUAL(refund("nobody", 100), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(charge("d", "sandbox_decline", 100), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(refund("d", 100), PAYMENT_DECLINED);
    CU_ASSERT_EQUAL(charge("t", "sandbox_timeout", 100), PAYMENT_UNKNOWN);
    CU_ASSERT_EQUAL(refund("t", 100), PAYMENT_DECLINED);
    end();
}

static void test_other_amount(void)
{
    begin();
    CU_ASSERT_EQUAL(charge("a", "sandbox_approve", 100), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(charge("a", "sandbox_approve", 200), PAYMENT_UNKNOWN);
    CU_ASSERT_EQUAL(ledger(CHARGED), 100);
    end();
}

static void test_nothing_to_charge(void)
{
    begin();
    CU_ASSERT_EQUAL(charge("free", "sandbox_decline", 0), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(refund("free", 0), PAYMENT_APPROVED);
    CU_ASSERT_EQUAL(ledger("SELECT count(*) FROM charge"), 0);
    end();
}

static void test_open_errors(void)
{
    struct payment *none = NULL;
    scratch_init(&scratch);
    struct payment_opts unknown = {.driver = "barter", .sandbox_file = scratch_path(&scratch, "payments.db")};
    CU_ASSERT_EQUAL(payment_open(&unknown, &none), ERR_CONFIG);
    struct payment_opts nowhere = {.driver = "sandbox", .sandbox_file = scratch_path(&scratch, "missing/payments.db")};
    CU_ASSERT_EQUAL(payment_open(&nowhere, &none), ERR_STORAGE);
    CU_ASSERT_PTR_NULL(none);
    payment_close(NULL);
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"each payment method answers as documented, however often it is asked", test_rules},
    {"the ledger outlives a restart, and no key is charged twice", test_restart},
    {"what was charged is given back once, what was not is refused", test_refund},
    {"a key used with another amount is not charged again", test_other_amount},
    {"an order without a price never reaches the gateway", test_nothing_to_charge},
    {"an unknown driver and a ledger that cannot be made are said", test_open_errors},
};

int main(void)
{
    return suite_main("payment_sandbox", cases, sizeof cases / sizeof cases[0]);
}
