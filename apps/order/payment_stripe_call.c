#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "apps/order/payment_stripe_call.h"
#include "conf/secret_file.h"

enum { FILE_MAX_BYTES = 8192, KEY_MAX = 512, BEARER_SIZE = KEY_MAX + sizeof "Bearer " };

/* ---- the key ---- */

static enum err read_key(const char *path, char out[static BEARER_SIZE])
{
    struct buf content;
    buf_init(&content, FILE_MAX_BYTES);
    enum err err = secret_file_read(path, &content);
    struct text key = buf_text(&content);
    while (key.length > 0 && strchr("\r\n", key.at[key.length - 1]))
        key.length--;
    if (err)
        err = err_because(err, "payment.stripe_key_file: %s", err_cause());
    else if (key.length == 0 || key.length > KEY_MAX || !text_is_visible_ascii(key))
        err = err_because(ERR_INVALID, "payment.stripe_key_file %s does not hold a key", path);
    else
        snprintf(out, BEARER_SIZE, "Bearer %.*s", TEXT_ARGS(key));
    if (content.data)
        sodium_memzero(content.data, content.capacity);
    buf_fini(&content);
    return err;
}

enum err stripe_key_check(const char *path)
{
    char bearer[BEARER_SIZE];
    if (!*path)
        return err_because(ERR_CONFIG, "payment.driver is stripe, which needs payment.stripe_key_file");
    enum err err = read_key(path, bearer);
    sodium_memzero(bearer, sizeof bearer);
    return err && err != ERR_IO ? err_because(ERR_CONFIG, "%s", err_cause()) : err;
}

/* ---- the address ---- */

/* The host of "http://host:port". */
static struct text host_of(struct text url)
{
    struct text rest = {url.at + strlen("http://"), url.length - strlen("http://")};
    size_t length = 0;
    bool in_brackets = rest.length > 0 && rest.at[0] == '[';
    while (length < rest.length && rest.at[length] != '/' && (in_brackets || rest.at[length] != ':'))
        in_brackets = rest.at[length++] != ']' && in_brackets;
    return (struct text){rest.at, length};
}

static bool is_loopback(struct text host)
{
    if (text_equal_string(host, "localhost") || text_equal_string(host, "[::1]"))
        return true;
    for (size_t i = 0; i < host.length; i++) {
        if (!strchr("0123456789.", host.at[i]))
            return false;
    }
    return text_starts(host, TEXT("127."));
}

enum err stripe_url_check(const char *url)
{
    struct text text = text_of(url);
    if (text.length > 0 && url[text.length - 1] == '/')
        return err_because(ERR_CONFIG, "payment.stripe_url: \"%s\" ends with a slash", url);
    if (text_find(text, '@') >= 0)
        return err_because(ERR_CONFIG, "payment.stripe_url: \"%s\" has an '@'", url);
    if (text_starts(text, TEXT("https://")) || (text_starts(text, TEXT("http://")) && is_loopback(host_of(text))))
        return ERR_NONE;
    return err_because(ERR_CONFIG, "payment.stripe_url: \"%s\" is neither https nor http of this machine", url);
}

/* ---- the call ---- */

static enum err send(const struct stripe *stripe, const struct stripe_call *call, const char *bearer,
                     struct client_response *ret)
{
    struct http_param headers[4];
    size_t count = 0;
    headers[count++] = (struct http_param){TEXT("Authorization"), text_of(bearer)};
    headers[count++] = (struct http_param){TEXT("Stripe-Version"), TEXT(STRIPE_VERSION)};
    if (call->form.at)
        headers[count++] = (struct http_param){TEXT("Content-Type"), TEXT("application/x-www-form-urlencoded")};
    if (call->idempotency_key)
        headers[count++] = (struct http_param){TEXT("Idempotency-Key"), text_of(call->idempotency_key)};
    struct client_request request = {
        .method = call->method,
        .path = call->path,
        .headers = headers,
        .header_count = count,
        .body = call->form,
        .timeout_ms = stripe->timeout_ms,
    };
    return client_call(stripe->client, &request, ret);
}

enum err stripe_call(const struct stripe *stripe, const struct stripe_call *call, struct arena *arena,
                     struct stripe_answer *ret)
{
    char bearer[BEARER_SIZE];
    struct client_response response;
    enum err err = read_key(stripe->key_file, bearer);
    if (err)
        return err_because(ERR_UNAVAILABLE, "%s", err_cause());
    err = send(stripe, call, bearer, &response);
    sodium_memzero(bearer, sizeof bearer);
    if (err)
        return err;
    err = stripe_answer_read(response.status, buf_text(&response.body), arena, ret);
    if (!err)
        ret->retry_after_s = response.retry_after_s;
    buf_fini(&response.body);
    return err;
}
