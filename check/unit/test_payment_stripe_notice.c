/* What Stripe tells by itself: whether it did, and what follows from it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apps/order/payment_stripe_notice.h"
#include "apps/order/payment_stripe_signature.h"
#include "check/harness/fake_gateway.h"
#include "check/harness/suite.h"
#include "check/unit/scratch.h"

#define ORDER_ID "0190a000-0000-7000-8000-000000000001"
#define BODY "{\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"id\":\"pi_1\",\"metadata\":" \
             "{\"order_id\":\"" ORDER_ID "\"}}}}"

/* printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_test */
#define KNOWN_V1 "35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91"

enum { NOW_S = 1700000000, TOLERANCE_S = 300 };

static struct scratch scratch;
static struct stripe stripe;

static void begin(const char *secrets)
{
    scratch_init(&scratch);
    const char *path = scratch_path(&scratch, "secrets");
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(secrets, file);
    fclose(file);
    chmod(path, 0600);
    stripe.webhook_secret_file = strdup(path);
}

static void end(void)
{
    free(stripe.webhook_secret_file);
    scratch_fini(&scratch);
}

static enum err read_notice(const char *signature, const char *body)
{
    struct payment_notice notice = {text_of(signature), text_of(body), NOW_S, TOLERANCE_S};
    struct payment_news news;
    return stripe_notice_read(&stripe, &notice, &news);
}

static const char *sign(const char *secret, int64_t time_s)
{
    static char out[FAKE_SIGNATURE_SIZE];
    return fake_gateway_sign(secret, time_s, TEXT(BODY), out);
}

static void test_known_signature(void)
{
    begin("whsec_test\n");
    struct stripe_signature signature;
    struct secret secrets[STRIPE_SECRETS_MAX];
    CU_ASSERT_EQUAL(stripe_secrets_read(TEXT("whsec_test\n"), secrets), 1);
    CU_ASSERT_EQUAL_FATAL(stripe_signature_read(TEXT("t=1700000000,v1=" KNOWN_V1), &signature), ERR_NONE);
    CU_ASSERT_EQUAL(signature.time_s, NOW_S);
    CU_ASSERT_EQUAL(stripe_signature_check(&signature, TEXT("{}"), secrets, 1), ERR_NONE);
    CU_ASSERT_EQUAL(stripe_signature_check(&signature, TEXT("{ }"), secrets, 1), ERR_FORBIDDEN);
    CU_ASSERT_EQUAL(stripe_signature_check(&signature, TEXT("{}"), secrets, 0), ERR_FORBIDDEN);
    end();
}

static void test_time(void)
{
    static const struct {
        int64_t from_now_s;
        enum err err;
    } rows[] = {
        {0, ERR_NONE},   {-TOLERANCE_S, ERR_NONE},          {-TOLERANCE_S - 1, ERR_FORBIDDEN},
        {-1, ERR_NONE},  {TOLERANCE_S, ERR_NONE},           {TOLERANCE_S + 1, ERR_FORBIDDEN},
        {-NOW_S, ERR_FORBIDDEN}, {INT64_C(1) << 60, ERR_FORBIDDEN},
    };
    begin("whsec_test");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_EQUAL(read_notice(sign("whsec_test", NOW_S + rows[i].from_now_s), BODY), rows[i].err);
    end();
}

static void test_secrets(void)
{
    begin("  whsec_new  \r\n\nwhsec_old\n");
    CU_ASSERT_EQUAL(read_notice(sign("whsec_new", NOW_S), BODY), ERR_NONE);
    CU_ASSERT_EQUAL(read_notice(sign("whsec_old", NOW_S), BODY), ERR_NONE);
    CU_ASSERT_EQUAL(read_notice(sign("whsec_other", NOW_S), BODY), ERR_FORBIDDEN);
    CU_ASSERT_EQUAL(read_notice(sign("", NOW_S), BODY), ERR_FORBIDDEN);
    CU_ASSERT_EQUAL(read_notice(sign("whsec_new", NOW_S), "{}"), ERR_FORBIDDEN);
    CU_ASSERT_EQUAL(stripe_secrets_check(stripe.webhook_secret_file), ERR_NONE);
    end();
    begin("\n \n");
    CU_ASSERT_EQUAL(read_notice(sign("", NOW_S), BODY), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(stripe_secrets_check(stripe.webhook_secret_file), ERR_CONFIG);
    chmod(stripe.webhook_secret_file, 0644);
    CU_ASSERT_EQUAL(read_notice(sign("a", NOW_S), BODY), ERR_UNAVAILABLE);
    end();
}

static void test_several_signatures(void)
{
    char header[1024], zeros[65];
    const char *good = strstr(sign("whsec_test", NOW_S), "v1=");
    memset(zeros, '0', 64);
    zeros[64] = '\0';
    begin("whsec_test");
    snprintf(header, sizeof header, "t=%d,v1=%s,%s", NOW_S, zeros, good);
    CU_ASSERT_EQUAL(read_notice(header, BODY), ERR_NONE);
    snprintf(header, sizeof header, "v0=%s, %s ,t=%d", zeros, good, NOW_S);
    CU_ASSERT_EQUAL(read_notice(header, BODY), ERR_NONE);
    snprintf(header, sizeof header, "t=%d,v0=%s", NOW_S, good + 3);
    CU_ASSERT_EQUAL(read_notice(header, BODY), ERR_FORBIDDEN);
    snprintf(header, sizeof header, "t=%d,v1=%s,v1=%s", NOW_S, zeros, zeros);
    CU_ASSERT_EQUAL(read_notice(header, BODY), ERR_FORBIDDEN);
    size_t length = (size_t)snprintf(header, sizeof header, "t=%d,%s", NOW_S, good);
    for (int i = 0; i < STRIPE_SIGNATURES_MAX; i++)
        length += (size_t)snprintf(header + length, sizeof header - length, ",v1=%s", zeros);
    CU_ASSERT_EQUAL(read_notice(header, BODY), ERR_FORBIDDEN);
    end();
}

static void test_malformed(void)
{
    static const char *const headers[] = {
        "", ",", "=", "t=", "t=1700000000", "v1=", "t=1700000000,v1=", "t=1700000000,v1=00", "t=x,v1=" KNOWN_V1,
        "v1=" KNOWN_V1, "t=1700000000,t=1700000000,v1=" KNOWN_V1, "t=-1700000000,v1=" KNOWN_V1,
        "t=99999999999999999999,v1=" KNOWN_V1, "t=1700000000;v1=" KNOWN_V1, "t=1700000000,v1=" KNOWN_V1 "0",
        "t=1700000000,v1=g" KNOWN_V1,
    };
    struct stripe_signature signature;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        CU_ASSERT_EQUAL(stripe_signature_read(text_of(headers[i]), &signature), ERR_MALFORMED);
    CU_ASSERT_EQUAL(stripe_signature_read(TEXT_NONE, &signature), ERR_MALFORMED);
    begin("whsec_test");
    CU_ASSERT_EQUAL(read_notice(NULL, BODY), ERR_FORBIDDEN);
    CU_ASSERT_EQUAL(read_notice("t=1700000000", BODY), ERR_FORBIDDEN);
    end();
}

/* ---- what it says ---- */

static void expect(const char *body, enum payment_news_kind kind, const char *order_id, const char *reference)
{
    struct payment_news news = {.kind = PAYMENT_NEWS_IGNORED};
    CU_ASSERT_EQUAL(stripe_notice_understand(text_of(body), &news), ERR_NONE);
    CU_ASSERT_EQUAL(news.kind, kind);
    CU_ASSERT_STRING_EQUAL(news.order_id, order_id);
    CU_ASSERT_STRING_EQUAL(news.reference, reference);
}

#define EVENT(type, object) "{\"id\":\"evt_1\",\"type\":\"" type "\",\"data\":{\"object\":" object "}}"
#define OURS "\"metadata\":{\"order_id\":\"" ORDER_ID "\"}"

static void test_news(void)
{
    static const char *const of_intents[] = {
        EVENT("payment_intent.succeeded", "{\"id\":\"pi_1\"," OURS "}"),
        EVENT("payment_intent.payment_failed", "{\"id\":\"pi_1\"," OURS "}"),
        EVENT("payment_intent.canceled", "{\"id\":\"pi_1\"," OURS "}"),
        EVENT("payment_intent.requires_action", "{\"id\":\"pi_1\"," OURS "}"),
    };
    static const char *const of_others[] = {
        EVENT("charge.refunded", "{\"id\":\"ch_1\",\"payment_intent\":\"pi_1\"," OURS "}"),
        EVENT("charge.refund.updated", "{\"id\":\"re_1\",\"payment_intent\":\"pi_1\"," OURS "}"),
        EVENT("refund.created", "{\"id\":\"re_1\",\"payment_intent\":\"pi_1\"," OURS "}"),
        EVENT("refund.updated", "{\"id\":\"re_1\",\"payment_intent\":\"pi_1\"," OURS "}"),
    };
    for (size_t i = 0; i < sizeof of_intents / sizeof of_intents[0]; i++)
        expect(of_intents[i], PAYMENT_NEWS_CHANGED, ORDER_ID, "pi_1");
    for (size_t i = 0; i < sizeof of_others / sizeof of_others[0]; i++)
        expect(of_others[i], PAYMENT_NEWS_CHANGED, ORDER_ID, "pi_1");
    expect(EVENT("refund.failed", "{\"id\":\"re_1\",\"payment_intent\":\"pi_1\"," OURS "}"), PAYMENT_NEWS_REFUND_FAILED,
           ORDER_ID, "pi_1");
    expect(EVENT("charge.refunded", "{\"id\":\"ch_1\",\"payment_intent\":null," OURS "}"), PAYMENT_NEWS_CHANGED,
           ORDER_ID, "");
    expect(EVENT("payment_intent.succeeded", "{\"id\":\"pi_1/../\"," OURS "}"), PAYMENT_NEWS_CHANGED, ORDER_ID, "");
}

static void test_not_ours(void)
{
    expect(EVENT("payment_intent.succeeded", "{\"id\":\"pi_1\",\"metadata\":{}}"), PAYMENT_NEWS_FOREIGN, "", "pi_1");
    expect(EVENT("payment_intent.succeeded", "{\"id\":\"pi_1\"}"), PAYMENT_NEWS_FOREIGN, "", "pi_1");
    expect(EVENT("payment_intent.succeeded", "{\"id\":\"pi_1\",\"metadata\":{\"order_id\":\"42\"}}"),
           PAYMENT_NEWS_FOREIGN, "", "pi_1");
    /* Kinds that are not known may have anything in them. */
    expect("{\"type\":\"customer.created\"}", PAYMENT_NEWS_IGNORED, "", "");
    expect("{\"type\":\"made.up.tomorrow\",\"data\":[1,2,{\"object\":7}]}", PAYMENT_NEWS_IGNORED, "", "");
    expect(EVENT("charge.dispute.created", "{\"id\":7}"), PAYMENT_NEWS_IGNORED, "", "");
}

static void test_not_understood(void)
{
    static const char *const bodies[] = {
        "", "{", "[]", "{}", "{\"type\":7}", "{\"type\":\"payment_intent.succeeded\"}",
        "{\"type\":\"payment_intent.succeeded\",\"data\":{}}", EVENT("payment_intent.succeeded", "[]"),
        EVENT("payment_intent.succeeded", "{\"id\":7}"),
        EVENT("charge.refunded", "{\"id\":\"ch_1\",\"payment_intent\":{\"id\":\"pi_1\"}}"),
    };
    struct payment_news news;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        CU_ASSERT_EQUAL(stripe_notice_understand(text_of(bodies[i]), &news), ERR_MALFORMED);
    CU_ASSERT_EQUAL(stripe_notice_understand(TEXT_NONE, &news), ERR_MALFORMED);
}

static const struct suite_case cases[] = {
    {"a signature that another program made is taken, and of nothing else", test_known_signature},
    {"one that was made long ago, or is yet to be made, is refused", test_time},
    {"each of the secrets signs, and nobody else's does", test_secrets},
    {"of several signatures one has to be right", test_several_signatures},
    {"what is no signature is none", test_malformed},
    {"news say of which order, and where to look", test_news},
    {"what is not of an order, or of no kind that matters, is passed over", test_not_ours},
    {"what cannot be understood is said", test_not_understood},
};

int main(void)
{
    return suite_main("payment_stripe_notice", cases, sizeof cases / sizeof cases[0]);
}
