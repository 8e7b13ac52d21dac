#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "telemetry/otlp_headers.h"
#include "telemetry/otlp_sender.h"

enum { CONNECT_TIMEOUT_MS = 5000, POLL_MS = 1000, STATUS_FINAL = 200 };

struct otlp_sender {
    CURLM *multi;              /* rather than curl_easy_perform(), which cannot be interrupted at once */
    CURL *easy;
    CURLcode refused;          /* the first option that was not taken */
    struct curl_slist *headers;
    struct buf answer;
    bool too_large;
    _Atomic int64_t stop_ns;
    char cause[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode library_state;

static void init_library(void)
{
    library_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- making one ---- */

/* Of http or https, with a host, and without a user: what is secret belongs into a header. */
enum err otlp_exporter_check_endpoint(const char *endpoint)
{
    struct text rest = text_of(endpoint);
    if (rest.length > 0 && !text_is_visible_ascii(rest))
        return err_because(ERR_CONFIG, "the receiver's URL has a character that is none of a URL");
    size_t scheme = text_starts_nocase(rest, TEXT("http://")) ? 7 : text_starts_nocase(rest, TEXT("https://")) ? 8 : 0;
    if (scheme == 0)
        return err_because(ERR_CONFIG, "the receiver's URL does not begin with http:// or https://");
    struct text host = {rest.at + scheme, strcspn(rest.at + scheme, "/?#")};
    if (text_find(host, '@') >= 0)
        return err_because(ERR_CONFIG, "the receiver's URL has a user or a password; send those in a header");
    if (host.length == 0)
        return err_because(ERR_CONFIG, "the receiver's URL \"%s\" names no host", endpoint);
    return ERR_NONE;
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct otlp_sender *sender = context;
    size_t length = size * count;
    if (length > sender->answer.max_bytes - sender->answer.length) {
        sender->too_large = true;
        return 0;
    }
    buf_add(&sender->answer, bytes, length);
    return buf_check(&sender->answer) ? 0 : length;
}

/* Sticky: the calls read like a list, and the first refusal is kept. */
#define SET(sender, option, value)                                                     \
    do {                                                                               \
        CURLcode code = curl_easy_setopt((sender)->easy, option, value);               \
        (sender)->refused = (sender)->refused ? (sender)->refused : code;              \
    } while (0)

static enum err set_options(struct otlp_sender *sender, const char *endpoint)
{
    SET(sender, CURLOPT_URL, endpoint);
    SET(sender, CURLOPT_NOSIGNAL, 1L);
    SET(sender, CURLOPT_FOLLOWLOCATION, 0L);
    SET(sender, CURLOPT_PROXY, "");   /* where spans go is said by the settings */
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(sender, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(sender, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(sender, CURLOPT_QUICK_EXIT, 1L);   /* a name that is being looked up does not hold up the end */
#endif
    SET(sender, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(sender, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(sender, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    SET(sender, CURLOPT_ERRORBUFFER, sender->cause);
    SET(sender, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
    SET(sender, CURLOPT_WRITEFUNCTION, receive);
    SET(sender, CURLOPT_WRITEDATA, sender);
    SET(sender, CURLOPT_HTTPHEADER, sender->headers);
    SET(sender, CURLOPT_POST, 1L);
    return sender->refused ? err_because(ERR_MEMORY, "libcurl: %s", curl_easy_strerror(sender->refused)) : ERR_NONE;
}

static enum err set_headers(struct otlp_sender *sender, const struct otlp_exporter_opts *opts, const char *content_type)
{
    enum err err = otlp_headers_add(&sender->headers, "Content-Type", content_type);
    if (!err && opts->gzip)
        err = otlp_headers_add(&sender->headers, "Content-Encoding", "gzip");
    if (!err)   /* waiting for "100 Continue" would cost a second with receivers that do not know it */
        err = otlp_headers_add(&sender->headers, "Expect", "");
    return err ? err : otlp_headers_read(opts->headers, opts->headers_form, &sender->headers);
}

enum err otlp_sender_new(const struct otlp_exporter_opts *opts, const char *content_type, struct otlp_sender **ret)
{
    enum err err = otlp_exporter_check_endpoint(opts->endpoint);
    if (err)
        return err;
    pthread_once(&once, init_library);
    struct otlp_sender *sender = library_state ? NULL : calloc(1, sizeof *sender);
    if (!sender)
        return err_because(ERR_MEMORY, "no memory to send spans");
    atomic_init(&sender->stop_ns, INT64_MAX);
    buf_init(&sender->answer, OTLP_ANSWER_MAX_BYTES);
    sender->multi = curl_multi_init();
    sender->easy = curl_easy_init();
    err = sender->multi && sender->easy ? set_headers(sender, opts, content_type)
                                        : err_because(ERR_MEMORY, "no memory to send spans");
    if (!err)
        err = set_options(sender, opts->endpoint);
    if (err)
        otlp_sender_free(sender);
    else
        *ret = sender;
    return err;
}

void otlp_sender_free(struct otlp_sender *sender)
{
    if (!sender)
        return;
    curl_easy_cleanup(sender->easy);
    curl_multi_cleanup(sender->multi);
    otlp_headers_free(sender->headers);
    buf_fini(&sender->answer);
    free(sender);
}

void otlp_sender_stop_at(struct otlp_sender *sender, int64_t stop_ns)
{
    atomic_store(&sender->stop_ns, stop_ns);
    curl_multi_wakeup(sender->multi);
}

/* ---- sending ---- */

/* What libcurl's codes are here; any other means that the receiver could not be reached. */
static const struct {
    CURLcode code;
    enum err err;
} outcomes[] = {
    {CURLE_OUT_OF_MEMORY, ERR_MEMORY},
    {CURLE_OPERATION_TIMEDOUT, ERR_DEADLINE},
    {CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_PROTOCOL},   /* "HTTP/0.9", that is no status line at all */
};

static enum err outcome_of(const struct otlp_sender *sender, CURLcode code)
{
    enum err err = ERR_UNAVAILABLE;
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (outcomes[i].code == code)
            err = outcomes[i].err;
    }
    return err_because(err, "%s", sender->cause[0] ? sender->cause : curl_easy_strerror(code));
}

/* Runs until it is done, one way or another; false when it is time to stop. */
static bool run(struct otlp_sender *sender)
{
    int running = 1;
    while (curl_multi_perform(sender->multi, &running) == CURLM_OK && running > 0) {
        int64_t left_ms = (atomic_load(&sender->stop_ns) - clock_now_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            return false;
        if (curl_multi_poll(sender->multi, NULL, 0, left_ms < POLL_MS ? (int)left_ms : POLL_MS, NULL) != CURLM_OK)
            break;
    }
    return true;
}

static CURLcode result_of(struct otlp_sender *sender)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(sender->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE)
            return message->data.result;
    }
    return CURLE_RECV_ERROR;
}

/* A status that came counts, whatever became of the body. */
static bool take_answer(struct otlp_sender *sender, CURLcode code, struct otlp_answer *ret)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(sender->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(sender->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    if (status < STATUS_FINAL)
        return false;
    struct otlp_answer answer = {.status = (int)status};
    if (retry_after_s > 0 && retry_after_s < INT64_MAX / 1000)
        answer.retry_after_ms = retry_after_s * 1000;
    if (code == CURLE_OK && !sender->too_large)
        answer.body = sender->answer.length > 0 ? buf_text(&sender->answer) : TEXT("");
    *ret = answer;
    return true;
}

enum err otlp_sender_post(struct otlp_sender *sender, struct text body, unsigned timeout_ms, struct otlp_answer *ret)
{
    buf_reset(&sender->answer, OTLP_ANSWER_MAX_BYTES);
    sender->too_large = false;
    sender->cause[0] = '\0';
    SET(sender, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 0 ? timeout_ms : 1));
    SET(sender, CURLOPT_POSTFIELDS, body.at);
    SET(sender, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
    if (sender->refused || curl_multi_add_handle(sender->multi, sender->easy) != CURLM_OK)
        return err_because(ERR_MEMORY, "no memory to send spans");
    bool done = run(sender);
    CURLcode code = done ? result_of(sender) : CURLE_ABORTED_BY_CALLBACK;
    curl_multi_remove_handle(sender->multi, sender->easy);
    if (!done)
        return err_because(ERR_CLOSED, "it did not answer before this program ended");
    if (take_answer(sender, code, ret))
        return ERR_NONE;
    return outcome_of(sender, code);
}
