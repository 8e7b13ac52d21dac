#include "config.h"

#include <string.h>

#include "apps/order/payment_stripe.h"
#include "apps/order/payment_stripe_form.h"

/* ---- amounts ---- */

/* Where the gateway counts otherwise than ISO 4217: by so much finer, or coarser. */
static const struct {
    const char *code;
    int64_t finer, coarser;
} exceptions[] = {
    {"ISK", 100, 1},
    {"UGX", 100, 1},
    {"MGA", 1, 100},
    /* Thousandths that have to be whole hundredths. */
    {"BHD", 10, 10},
    {"JOD", 10, 10},
    {"KWD", 10, 10},
    {"OMR", 10, 10},
    {"TND", 10, 10},
};

/* The most that the gateway takes: eight digits. */
#define AMOUNT_MAX INT64_C(99999999)

bool stripe_amount(struct money money, int64_t *ret_amount)
{
    int64_t finer = 1, coarser = 1;
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        if (strcmp(money.currency->code, exceptions[i].code) == 0) {
            finer = exceptions[i].finer;
            coarser = exceptions[i].coarser;
        }
    }
    if (money.amount_minor % coarser != 0 || money.amount_minor < 0 ||
        money.amount_minor / coarser > AMOUNT_MAX / finer)
        return false;
    *ret_amount = money.amount_minor / coarser * finer;
    return true;
}

const char *stripe_currency(const struct currency *currency, char out[static STRIPE_CURRENCY_SIZE])
{
    for (size_t i = 0; i < STRIPE_CURRENCY_SIZE; i++) {
        char c = currency->code[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return out;
}

/* ---- forms ---- */

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~", c));
}

static void add_encoded(struct buf *out, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (is_plain(text.at[i]))
            buf_add_char(out, text.at[i]);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)text.at[i]);
    }
}

void stripe_form_add(struct buf *form, const char *name, struct text value)
{
    if (form->length > 0)
        buf_add_char(form, '&');
    add_encoded(form, text_of(name));
    buf_add_char(form, '=');
    add_encoded(form, value);
}

/* The same request always has the same form: the gateway refuses a key that comes with another. */
void stripe_form_charge(struct buf *form, const struct payment_request *request, int64_t amount)
{
    char currency[STRIPE_CURRENCY_SIZE];
    buf_addf(form, "amount=%lld", (long long)amount);
    stripe_form_add(form, "currency", text_of(stripe_currency(request->amount.currency, currency)));
    stripe_form_add(form, "payment_method", secret_reveal(request->method));
    stripe_form_add(form, "confirm", request->only_find_out ? TEXT("false") : TEXT("true"));
    stripe_form_add(form, "automatic_payment_methods[enabled]", TEXT("true"));
    stripe_form_add(form, "automatic_payment_methods[allow_redirects]", TEXT("never"));
    stripe_form_add(form, "metadata[order_id]", request->key);
}

void stripe_form_refund(struct buf *form, const struct payment_request *request, struct text reference)
{
    stripe_form_add(form, "payment_intent", reference);
    stripe_form_add(form, "metadata[order_id]", request->key);
}

/* ---- paths ---- */

bool stripe_is_id(struct text id)
{
    for (size_t i = 0; i < id.length; i++) {
        char c = id.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'))
            return false;
    }
    return id.length > 0 && id.length <= PAYMENT_REFERENCE_MAX;
}

void stripe_path_intent(struct buf *path, struct text reference)
{
    buf_addf(path, "/v1/payment_intents/%.*s", TEXT_ARGS(reference));
}

void stripe_path_cancel(struct buf *path, struct text reference)
{
    buf_addf(path, "/v1/payment_intents/%.*s/cancel", TEXT_ARGS(reference));
}

void stripe_path_search(struct buf *path, struct text order_id)
{
    buf_add_string(path, "/v1/payment_intents/search?limit=10&query=");
    add_encoded(path, TEXT("metadata['order_id']:'"));
    add_encoded(path, order_id);
    add_encoded(path, TEXT("'"));
}

void stripe_path_refunds_of(struct buf *path, struct text reference)
{
    buf_addf(path, "/v1/refunds?limit=10&payment_intent=%.*s", TEXT_ARGS(reference));
}
