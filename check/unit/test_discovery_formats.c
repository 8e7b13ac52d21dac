/* What registries say, well-formed or not: etcd's JSON, and messages of the DNS. */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/suite.h"
#include "discovery/dns_answer.h"
#include "discovery/etcd_json.h"

enum { TEXT_SIZE = 4096 };

static struct discovery_found found;
static struct dns_record records[DNS_RECORDS_MAX];

static const char *base64(const char *text, char out[static TEXT_SIZE])
{
    return sodium_bin2base64(out, TEXT_SIZE, (const unsigned char *)text, strlen(text),
                             sodium_base64_VARIANT_ORIGINAL);
}

static enum err read_record(const char *record)
{
    char body[3 * TEXT_SIZE], key[TEXT_SIZE], value[TEXT_SIZE];
    int64_t revision = 0;
    found.count = found.refused = 0;
    snprintf(body, sizeof body, "{\"header\":{\"revision\":\"7\"},\"kvs\":[{\"key\":\"%s\",\"value\":\"%s\"}]}",
             base64("/services/user/one", key), base64(record, value));
    enum err err = etcd_read_range(text_of(body), &found, &revision);
    CU_ASSERT(err || revision == 7);
    return err;
}

static void test_records(void)
{
    struct instance instance;
    struct buf record;
    CU_ASSERT_EQUAL(instance_read(TEXT("https://eu.example.org:443;weight=50;zone=eu;version=2;id=one"), &instance),
                    ERR_NONE);
    buf_init(&record, TEXT_SIZE);
    etcd_write_record(&instance, &record);
    CU_ASSERT_EQUAL(read_record(buf_string(&record)), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(found.count, 1);
    CU_ASSERT(instance_equal(&found.list[0], &instance));
    buf_fini(&record);
    CU_ASSERT_EQUAL(read_record("{\"scheme\":\"http\",\"address\":\"a\",\"port\":1,\"colour\":\"red\"}"), ERR_NONE);
    CU_ASSERT_EQUAL(found.count, 1);
    CU_ASSERT_EQUAL(found.list[0].weight, INSTANCE_WEIGHT);
}

static void test_bad_records(void)
{
    static const char *const bad[] = {
        "", "no JSON", "[]", "{}", "{\"scheme\":\"http\",\"address\":\"a\",\"port\":0}",
        "{\"scheme\":\"http\",\"address\":\"a\",\"port\":-1}", "{\"scheme\":\"http\",\"address\":\"a\",\"port\":\"1\"}",
        "{\"scheme\":\"http\",\"address\":\"a b\",\"port\":1}", "{\"scheme\":\"gopher\",\"address\":\"a\",\"port\":1}",
        "{\"scheme\":\"http\",\"address\":\"a\\\";evil\",\"port\":1}",
        "{\"scheme\":\"http\",\"address\":\"a\",\"port\":1,\"weight\":99999999}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(read_record(bad[i]), ERR_NONE);
        CU_ASSERT_EQUAL(found.count, 0);
        CU_ASSERT_EQUAL(found.refused, 1);
    }
}

static void test_bad_answers(void)
{
    static const char *const bad[] = {"", "no JSON", "[]", "{}", "{\"header\":{}}", "{\"header\":{\"revision\":\"x\"}}",
                                      "{\"header\":{\"revision\":\"1\"},\"kvs\":7}"};
    int64_t number;
    char token[8];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(etcd_read_range(text_of(bad[i]), &found, &number), ERR_PROTOCOL);
        CU_ASSERT_EQUAL(etcd_read_lease(text_of(bad[i]), &number), ERR_PROTOCOL);
        CU_ASSERT_EQUAL(etcd_read_token(text_of(bad[i]), token, sizeof token), ERR_PROTOCOL);
    }
    CU_ASSERT_EQUAL(etcd_read_token(TEXT("{\"token\":\"much-too-long\"}"), token, sizeof token), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(etcd_read_lease(TEXT("{\"result\":{\"ID\":\"7\"}}"), &number), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(etcd_read_lease(TEXT("{\"result\":{\"ID\":\"7\",\"TTL\":\"0\"}}"), &number), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(etcd_read_lease(TEXT("{\"result\":{\"ID\":\"7\",\"TTL\":\"3\"}}"), &number), ERR_NONE);
    CU_ASSERT_EQUAL(number, 7);
}

static void test_watch_lines(void)
{
    CU_ASSERT(!etcd_line_tells(TEXT("{\"result\":{\"header\":{\"revision\":\"1\"},\"created\":true}}")));
    CU_ASSERT(!etcd_line_tells(TEXT("{\"result\":{\"header\":{\"revision\":\"1\"}}}")));
    CU_ASSERT(etcd_line_tells(TEXT("{\"result\":{\"events\":[{\"type\":\"DELETE\",\"kv\":{\"key\":\"YQ==\"}}]}}")));
    CU_ASSERT(etcd_line_tells(TEXT("{\"result\":{\"canceled\":true,\"compact_revision\":\"9\"}}")));
    CU_ASSERT(etcd_line_tells(TEXT("{\"error\":{\"grpc_code\":14}}")));
    CU_ASSERT(etcd_line_tells(TEXT("no JSON")));
}

/* ---- the DNS ---- */

/* An answer to _http._tcp.user.test SRV: one record, weight 7, port 8080, target a.test, lifetime 30 s. */
static const uint8_t srv_answer[] = {
    0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0,
    5, '_', 'h', 't', 't', 'p', 4, '_', 't', 'c', 'p', 4, 'u', 's', 'e', 'r', 4, 't', 'e', 's', 't', 0, 0, 33, 0, 1,
    0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 30, 0, 14, 0, 1, 0, 7, 0x1f, 0x90, 1, 'a', 4, 't', 'e', 's', 't', 0,
};

static void test_dns(void)
{
    size_t count = 0;
    CU_ASSERT_EQUAL_FATAL(dns_read(srv_answer, sizeof srv_answer, DNS_SRV, records, &count), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_STRING_EQUAL(records[0].target, "a.test");
    CU_ASSERT_EQUAL(records[0].port, 8080);
    CU_ASSERT_EQUAL(records[0].weight, 7);
    CU_ASSERT_EQUAL(records[0].priority, 1);
    CU_ASSERT_EQUAL(records[0].lifetime_s, 30);
    CU_ASSERT_EQUAL(dns_read(srv_answer, sizeof srv_answer, DNS_A, records, &count), ERR_NOT_FOUND);
}

/* Each byte of it wrong in turn, and each shorter form: whatever comes of it, it is not read past its end. */
static void test_bad_dns(void)
{
    uint8_t message[sizeof srv_answer];
    size_t count;
    for (size_t length = 0; length < sizeof srv_answer; length++) {
        uint8_t *exact = malloc(length + !length);
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, srv_answer, length);
        CU_ASSERT_NOT_EQUAL(dns_read(exact, length, DNS_SRV, records, &count), ERR_NONE);
        free(exact);
    }
    for (size_t at = 0; at < sizeof srv_answer; at++)
        for (unsigned wrong = 1; wrong < 256; wrong++) {
            memcpy(message, srv_answer, sizeof message);
            message[at] ^= (uint8_t)wrong;
            if (dns_read(message, sizeof message, DNS_SRV, records, &count) == ERR_NONE)
                CU_ASSERT_FATAL(count == 1);
        }
    memcpy(message, srv_answer, sizeof message);
    message[3] = 0x83;
    CU_ASSERT_EQUAL(dns_read(message, sizeof message, DNS_SRV, records, &count), ERR_NOT_FOUND);
    message[3] = 0x82;
    CU_ASSERT_EQUAL(dns_read(message, sizeof message, DNS_SRV, records, &count), ERR_UNAVAILABLE);
}

static const struct suite_case cases[] = {
    {"a record of etcd is written and read back, and may have more than is known here", test_records},
    {"a record that is not as it should be is passed over and counted", test_bad_records},
    {"an answer of etcd that is none is a fault", test_bad_answers},
    {"a line of a watch tells of a change, or of its end", test_watch_lines},
    {"an answer of the DNS has records with lifetimes", test_dns},
    {"a message of the DNS may be cut or wrong anywhere", test_bad_dns},
};

int main(void)
{
    return suite_main("discovery_formats", cases, sizeof cases / sizeof cases[0]);
}
