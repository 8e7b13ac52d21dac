/* The exporter, against a receiver that is well: what arrives, and how it is asked for. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/exporting.h"

static bool is_drained(void *context)
{
    (void)context;
    return exporting_stats().queued_bytes == 0;
}

static void hold_delivery(enum otlp_protocol protocol, bool gzip, const char *content_type)
{
    struct span spans[3] = {spans_full(1), spans_full(2), spans_plain(3)};
    struct received received = {.count = 0};
    exporting_begin();
    exporting.opts.protocol = protocol;
    exporting.opts.gzip = gzip;
    exporting.opts.batch_delay_ms = 200;
    exporting_open();
    CU_ASSERT(otlp_exporter_add(exporting.exporter, spans, 2));
    CU_ASSERT(otlp_exporter_add(exporting.exporter, spans + 2, 1));
    CU_ASSERT(COMES(exported, 3));
    CU_ASSERT_EQUAL_FATAL(otlp_receiver_request_count(exporting.receiver), 1);
    const struct otlp_request *request = otlp_receiver_request(exporting.receiver, 0);
    CU_ASSERT_STRING_EQUAL(request->content_type, content_type);
    CU_ASSERT_EQUAL(request->gzip, gzip);
    CU_ASSERT_EQUAL(request->sent_bytes < request->body.length, gzip);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "User-Agent"), "tandem/" PACKAGE_VERSION);
    bool decoded = otlp_receiver_spans(exporting.receiver, &received);
    CU_ASSERT(decoded);
    if (!decoded)
        printf("# %s\n", err_cause());
    CU_ASSERT_EQUAL(received.count, 3);
    for (size_t i = 0; i < received.count; i++) {
        CU_ASSERT_EQUAL(received.spans[i].start_ns, spans[i].start_ns);
        CU_ASSERT_STRING_EQUAL(received.spans[i].service, "tandem-order");
    }
    received_fini(&received);
    CU_ASSERT_EQUAL(exporting_told().count, 0);
    CU_ASSERT(process_until(is_drained, NULL, EXPORTING_PATIENCE_MS));
    exporting_end();
}

static void test_protobuf(void)
{
    if (!otlp_can_decode_protobuf())
        return;
    hold_delivery(OTLP_HTTP_PROTOBUF, false, "application/x-protobuf");
    hold_delivery(OTLP_HTTP_PROTOBUF, true, "application/x-protobuf");
}

static void test_json(void)
{
    hold_delivery(OTLP_HTTP_JSON, false, "application/json");
    hold_delivery(OTLP_HTTP_JSON, true, "application/json");
}

/* Full ones at once, the rest after the delay, none larger than said, over one connection. */
static void test_batches(void)
{
    struct span part[7];
    exporting_begin();
    exporting.opts.batch_max = 10;
    exporting.opts.batch_delay_ms = 300;
    exporting_open();
    for (unsigned i = 0; i < 15; i++) {
        for (unsigned j = 0; j < 7; j++)
            part[j] = spans_plain(i * 7 + j + 1);
        CU_ASSERT(otlp_exporter_add(exporting.exporter, part, 7));
    }
    CU_ASSERT(COMES(exported, 15 * 7));
    for (size_t i = 0; i < otlp_receiver_request_count(exporting.receiver); i++) {
        struct received received = {.count = 0};
        const struct otlp_request *request = otlp_receiver_request(exporting.receiver, i);
        CU_ASSERT_EQUAL(request->connection, 0);
        CU_ASSERT_FATAL(received_add(&received, otlp_decode(request->content_type, request->body)));
        CU_ASSERT(received.count <= 10);
        received_fini(&received);
    }
    CU_ASSERT_EQUAL(exporting_received(), 15 * 7);
    exporting_end();
}

/* A part that is larger than a request may be is sent in several. */
static void test_large_part(void)
{
    struct span part[25];
    for (unsigned i = 0; i < 25; i++)
        part[i] = spans_full(i + 1);
    exporting_begin();
    exporting.opts.batch_max = 10;
    exporting_open();
    CU_ASSERT(otlp_exporter_add(exporting.exporter, part, 25));
    CU_ASSERT(otlp_exporter_add(exporting.exporter, part, 0));
    CU_ASSERT(COMES(exported, 25));
    CU_ASSERT_EQUAL(exporting_received(), 25);
    CU_ASSERT(otlp_receiver_request_count(exporting.receiver) >= 3);
    exporting_end();
}

/* Where spans go is said by the settings alone. */
static void test_no_proxy(void)
{
    exporting_begin();
    CU_ASSERT_EQUAL(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    CU_ASSERT_EQUAL(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(COMES(exported, 1));
    CU_ASSERT_EQUAL(exporting_stats().requests_failed, 0);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    exporting_end();
}

/* ---- certificates ---- */

static bool is_told_of_certificate(void *context)
{
    (void)context;
    return exporting_was_told("certificate");
}

/* A receiver behind TLS whose certificate nobody vouches for gets nothing. */
static void test_certificate(void)
{
    char key[128], certificate[128], log[128], address[32], *folder = process_folder();
    struct process server = {.pid = 0};
    unsigned port = process_free_port();
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    const char *const make[] = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
                                "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                                certificate, NULL};
    const char *const serve[] = {"openssl", "s_server", "-accept", address, "-key", key, "-cert", certificate, "-www",
                                 "-quiet", NULL};
    exporting_begin();
    if (process_run(make, log) != ERR_NONE) {
        suite_skip("openssl is not installed (Debian: openssl)");
    } else {
        CU_ASSERT_EQUAL_FATAL(process_start(serve, log, SIGKILL, &server), ERR_NONE);
        snprintf(exporting.endpoint, sizeof exporting.endpoint, "https://%s/v1/traces", address);
        exporting_open();
        CU_ASSERT(exporting_add(1));
        CU_ASSERT(process_until(is_told_of_certificate, NULL, EXPORTING_PATIENCE_MS));
        CU_ASSERT_EQUAL(exporting_stats().exported, 0);
        otlp_exporter_close(exporting.exporter, 0);
        exporting.exporter = NULL;
        process_kill(&server);
    }
    exporting_end();
    process_remove(folder);
    free(folder);
}

/* ---- header fields ---- */

static void test_headers(void)
{
    exporting_begin();
    exporting.opts.headers = secret_of(TEXT("authorization=Bearer%20a%2Cb, x-scope-orgid = 7,"));
    exporting_open();
    CU_ASSERT(exporting_add(1));
    CU_ASSERT(COMES(exported, 1));
    otlp_exporter_close(exporting.exporter, EXPORTING_CLOSE_MS);
    exporting.opts.headers_form = OTLP_HEADERS_LINES;
    exporting.opts.headers = secret_of(TEXT("# for Tempo\n\nauthorization=Basic a%2C=,b\r\nx-two=2"));
    exporting_open();
    CU_ASSERT(exporting_add(2));
    CU_ASSERT(COMES(exported, 1));
    const struct otlp_request *request = otlp_receiver_request(exporting.receiver, 0);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "authorization"), "Bearer a,b");
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "x-scope-orgid"), "7");
    request = otlp_receiver_request(exporting.receiver, 1);
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "authorization"), "Basic a%2C=,b");
    CU_ASSERT_STRING_EQUAL(otlp_request_header(request, "x-two"), "2");
    exporting_end();
}

static void test_bad_headers(void)
{
    static const struct text bad[] = {
        TEXT("very-secret"), TEXT("a=1,very-secret"), TEXT("=very-secret"), TEXT("a b=very-secret"), TEXT("a="),
        TEXT("a=very%0asecret"), TEXT("a=very%zzsecret"), TEXT("Content-Type=very-secret"), TEXT("host=very-secret"),
    };
    exporting_begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        exporting.opts.headers = secret_of(bad[i]);
        CU_ASSERT_EQUAL(otlp_exporter_open(&exporting.opts, &exporting.exporter), ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "header "));
        CU_ASSERT_PTR_NULL(strstr(err_cause(), "secret"));
    }
    exporting_end();
}

static void test_bad_endpoints(void)
{
    static const char *const bad[] = {"", "localhost:4318", "ftp://localhost/", "http://", "https:///v1/traces",
                                      "http://user:very-secret@localhost/", "http://local host/"};
    exporting_begin();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        exporting.opts.endpoint = bad[i];
        CU_ASSERT_EQUAL(otlp_exporter_open(&exporting.opts, &exporting.exporter), ERR_CONFIG);
        CU_ASSERT_PTR_NULL(strstr(err_cause(), "secret"));
    }
    exporting_end();
}

static const struct suite_case cases[] = {
    {"spans arrive in protobuf, plain and compressed", test_protobuf},
    {"spans arrive in JSON, plain and compressed", test_json},
    {"batches are as large as said, over one connection", test_batches},
    {"a part that is larger than a batch goes in several", test_large_part},
    {"no proxy is used", test_no_proxy},
    {"a certificate that cannot be verified gets nothing", test_certificate},
    {"header fields go along, in both forms", test_headers},
    {"what is no header is refused, and not told", test_bad_headers},
    {"what is no endpoint is refused", test_bad_endpoints},
};

int main(void)
{
    return suite_main("otlp_exporter", cases, sizeof cases / sizeof cases[0]);
}
