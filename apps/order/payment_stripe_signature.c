#include "config.h"

#include <sodium.h>
#include <string.h>

#include "apps/order/payment_stripe_signature.h"
#include "base/hex.h"

_Static_assert(STRIPE_SIGNATURE_BYTES == crypto_auth_hmacsha256_BYTES, "the scheme v1 is HMAC-SHA256");

static bool read_hex(struct text text, unsigned char out[static STRIPE_SIGNATURE_BYTES])
{
    if (text.length != 2 * STRIPE_SIGNATURE_BYTES)
        return false;
    for (size_t i = 0; i < STRIPE_SIGNATURE_BYTES; i++) {
        int high = hex_digit(text.at[2 * i]), low = hex_digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static enum err read_time(struct text value, struct stripe_signature *signature)
{
    if (signature->time.at)
        return err_because(ERR_MALFORMED, "the signature has two times");
    if (text_to_int(value, &signature->time_s) != ERR_NONE || signature->time_s < 0)
        return err_because(ERR_MALFORMED, "the signature's time is none");
    signature->time = value;
    return ERR_NONE;
}

static enum err read_v1(struct text value, struct stripe_signature *signature)
{
    if (signature->count == STRIPE_SIGNATURES_MAX)
        return err_because(ERR_MALFORMED, "there are too many signatures");
    if (!read_hex(value, signature->v1[signature->count]))
        return err_because(ERR_MALFORMED, "the signature is not one of HMAC-SHA256");
    signature->count++;
    return ERR_NONE;
}

enum err stripe_signature_read(struct text header, struct stripe_signature *ret)
{
    struct stripe_signature signature = {.count = 0};
    enum err err = ERR_NONE;
    if (!header.at)
        return err_because(ERR_MALFORMED, "there is no signature");
    while (header.at && !err) {
        struct text value = text_split(&header, ',');
        struct text scheme = text_trim(text_split(&value, '='));
        value = text_trim(value);
        if (text_equal_string(scheme, "t"))
            err = read_time(value, &signature);
        else if (text_equal_string(scheme, "v1"))
            err = read_v1(value, &signature);
    }
    if (!err && (!signature.time.at || signature.count == 0))
        err = err_because(ERR_MALFORMED, "the signature lacks its time or its v1");
    if (!err)
        *ret = signature;
    return err;
}

enum err stripe_signature_check_time(const struct stripe_signature *signature, int64_t now_s, int64_t tolerance_s)
{
    if (signature->time_s < now_s - tolerance_s)
        return err_because(ERR_FORBIDDEN, "the notice is too old");
    if (signature->time_s > now_s + tolerance_s)
        return err_because(ERR_FORBIDDEN, "the notice is of the future");
    return ERR_NONE;
}

static void sign(struct secret secret, struct text time, struct text body,
                 unsigned char out[static STRIPE_SIGNATURE_BYTES])
{
    struct text key = secret_reveal(secret);
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.at, key.length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)time.at, time.length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.at, body.length);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

enum err stripe_signature_check(const struct stripe_signature *signature, struct text body,
                                const struct secret *secrets, size_t count)
{
    unsigned char ours[STRIPE_SIGNATURE_BYTES];
    bool genuine = false;
    for (size_t i = 0; i < count; i++) {
        sign(secrets[i], signature->time, body.at ? body : TEXT(""), ours);
        for (size_t j = 0; j < signature->count; j++)
            genuine |= sodium_memcmp(ours, signature->v1[j], sizeof ours) == 0;
    }
    return genuine ? ERR_NONE : err_because(ERR_FORBIDDEN, "the notice is not signed with a secret of ours");
}

size_t stripe_secrets_read(struct text content, struct secret ret[static STRIPE_SECRETS_MAX])
{
    size_t count = 0;
    while (content.at && count < STRIPE_SECRETS_MAX) {
        struct text line = text_split(&content, '\n');
        if (line.length > 0 && line.at[line.length - 1] == '\r')
            line.length--;
        line = text_trim(line);
        if (line.length > 0)
            ret[count++] = secret_of(line);
    }
    return count;
}
