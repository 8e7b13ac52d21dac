#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "apps/order/payment_stripe_notice.h"
#include "apps/order/payment_stripe_signature.h"
#include "base/arena.h"
#include "base/json.h"
#include "conf/secret_file.h"

enum { SECRETS_MAX_BYTES = 8192, READ_MAX_BYTES = 32 * 1024, WORD_MAX = 255 };

/* ---- its secrets ---- */

/* Read at each notice, so that a secret is changed by changing the file. content is the caller's to erase. */
static enum err read_secrets(const char *path, struct buf *content, struct secret secrets[], size_t *ret_count)
{
    enum err err = secret_file_read(path, content);
    if (err)
        return err_because(err, "payment.webhook_secret_file: %s", err_cause());
    *ret_count = stripe_secrets_read(buf_text(content), secrets);
    if (*ret_count == 0)
        return err_because(ERR_CONFIG, "payment.webhook_secret_file %s holds no secret", path);
    return ERR_NONE;
}

static void erase(struct buf *content)
{
    if (content->data)
        sodium_memzero(content->data, content->capacity);
    buf_fini(content);
}

enum err stripe_secrets_check(const char *path)
{
    struct secret secrets[STRIPE_SECRETS_MAX];
    struct buf content;
    size_t count;
    if (!*path)
        return ERR_NONE;
    buf_init(&content, SECRETS_MAX_BYTES);
    enum err err = read_secrets(path, &content, secrets, &count);
    erase(&content);
    return err && err != ERR_IO ? err_because(ERR_CONFIG, "%s", err_cause()) : err;
}

/* What can be refused without them is refused first: anybody may knock here. */
static enum err verify(const struct stripe *stripe, const struct payment_notice *notice)
{
    struct secret secrets[STRIPE_SECRETS_MAX];
    struct stripe_signature signature;
    struct buf content;
    size_t count = 0;
    enum err err = stripe_signature_read(notice->signature, &signature);
    if (err)
        return err_because(ERR_FORBIDDEN, "%s", err_cause());
    err = stripe_signature_check_time(&signature, notice->now_s, notice->tolerance_s);
    if (err)
        return err;
    buf_init(&content, SECRETS_MAX_BYTES);
    err = read_secrets(stripe->webhook_secret_file, &content, secrets, &count);
    if (err)
        err = err_because(ERR_UNAVAILABLE, "%s", err_cause());
    else
        err = stripe_signature_check(&signature, notice->body, secrets, count);
    erase(&content);
    return err;
}

/* ---- what it says ---- */

struct told {
    struct text type, id, payment_intent, order_id;
};

static const struct json_field type_fields[] = {
    {.name = "type", .type = JSON_TEXT, .required = true, .max = WORD_MAX, .offset = offsetof(struct told, type)},
    {.name = NULL},
};

static const struct json_field metadata_fields[] = {
    {.name = "order_id", .type = JSON_TEXT, .offset = offsetof(struct told, order_id)},
    {.name = NULL},
};

/* All of them fill the one struct, at its own offsets. */
static const struct json_field object_fields[] = {
    {.name = "id", .type = JSON_TEXT, .required = true, .offset = offsetof(struct told, id)},
    {.name = "payment_intent", .type = JSON_TEXT, .offset = offsetof(struct told, payment_intent)},
    {.name = "metadata", .type = JSON_OBJECT, .fields = metadata_fields, .offset = 0},
    {.name = NULL},
};

static const struct json_field data_fields[] = {
    {.name = "object", .type = JSON_OBJECT, .required = true, .fields = object_fields, .offset = 0},
    {.name = NULL},
};

static const struct json_field notice_fields[] = {
    {.name = "data", .type = JSON_OBJECT, .required = true, .fields = data_fields, .offset = 0},
    {.name = NULL},
};

/* The kinds that something follows from; where the id of the PaymentIntent stands. */
static const struct kind {
    const char *type;
    bool is_intent;                /* it is the object itself; else the object is a charge or a refund of it */
    enum payment_news_kind news;
} kinds[] = {
    {"payment_intent.succeeded", true, PAYMENT_NEWS_CHANGED},
    {"payment_intent.payment_failed", true, PAYMENT_NEWS_CHANGED},
    {"payment_intent.canceled", true, PAYMENT_NEWS_CHANGED},
    {"payment_intent.requires_action", true, PAYMENT_NEWS_CHANGED},
    {"charge.refunded", false, PAYMENT_NEWS_CHANGED},
    {"charge.refund.updated", false, PAYMENT_NEWS_CHANGED},
    {"refund.created", false, PAYMENT_NEWS_CHANGED},
    {"refund.updated", false, PAYMENT_NEWS_CHANGED},
    {"refund.failed", false, PAYMENT_NEWS_REFUND_FAILED},
};

static const struct kind *find_kind(struct text type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (text_equal_string(type, kinds[i].type))
            return &kinds[i];
    }
    return NULL;
}

/* Other kinds may have anything in them. */
static enum err read_told(const struct json_document *document, struct arena *arena, struct told *told,
                          const struct kind **ret_kind)
{
    struct json_faults faults = {.count = 0};
    enum err err = json_read_lenient(document, type_fields, arena, told, &faults);
    if (err)
        return err;
    *ret_kind = find_kind(told->type);
    return *ret_kind ? json_read_lenient(document, notice_fields, arena, told, &faults) : ERR_NONE;
}

static void make_news(const struct told *told, const struct kind *kind, struct payment_news *ret)
{
    *ret = (struct payment_news){.kind = PAYMENT_NEWS_IGNORED};
    if (!kind)
        return;
    struct text reference = kind->is_intent ? told->id : told->payment_intent;
    ret->kind = id_is_valid(told->order_id) ? kind->news : PAYMENT_NEWS_FOREIGN;
    if (ret->kind != PAYMENT_NEWS_FOREIGN)
        snprintf(ret->order_id, sizeof ret->order_id, "%.*s", TEXT_ARGS(told->order_id));
    if (stripe_is_id(reference))
        snprintf(ret->reference, sizeof ret->reference, "%.*s", TEXT_ARGS(reference));
}

enum err stripe_notice_understand(struct text body, struct payment_news *ret)
{
    struct json_document *document = NULL;
    const struct kind *kind = NULL;
    struct told told = {.type = TEXT_NONE};
    struct arena arena;
    arena_init(&arena, READ_MAX_BYTES);
    enum err err = json_parse(body.at ? body : TEXT(""), &document);
    if (!err)
        err = read_told(document, &arena, &told, &kind);
    json_free(document);
    if (!err)
        make_news(&told, kind, ret);
    else if (err != ERR_MEMORY)
        err = err_because(ERR_MALFORMED, "the notice is not understood");
    arena_fini(&arena);
    return err;
}

enum err stripe_notice_read(const struct stripe *stripe, const struct payment_notice *notice, struct payment_news *ret)
{
    enum err err = verify(stripe, notice);
    return err ? err : stripe_notice_understand(notice->body, ret);
}
