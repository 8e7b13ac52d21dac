#include "config.h"

#include <string.h>

#include "base/id.h"
#include "conf/signature_make.h"
#include "conf/signature_private.h"

/* A secret key as it stands in its file. In one with a password all from `id` on is encrypted, and there is a checksum;
 * without, that is all zeros. */
struct secret_blob {
    unsigned char algorithm[SIGNATURE_ALGORITHM_BYTES], derivation[2], checksum_algorithm[2];
    unsigned char salt[32], operations[8], memory[8];
    unsigned char id[SIGNATURE_ID_BYTES], key[SIGNATURE_SECRET_BYTES], checksum[32];
};

#define CHECKSUM_ALGORITHM "B2"

enum { BASE64_MAX = 512 };

_Static_assert(sizeof(struct secret_blob) == 158, "no padding");
_Static_assert(SIGNATURE_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "the header's size is libsodium's");

static void write_base64(const void *bytes, size_t length, struct buf *out)
{
    char text[BASE64_MAX];
    sodium_bin2base64(text, sizeof text, bytes, length, sodium_base64_VARIANT_ORIGINAL);
    buf_addf(out, "%s\n", text);
    sodium_memzero(text, sizeof text);
}

/* ---- keys ---- */

void signature_new(struct signature_key *ret_key, struct signature_secret *ret_secret)
{
    unsigned char seed[crypto_sign_SEEDBYTES];
    random_bytes(seed, sizeof seed);
    random_bytes(ret_key->id, sizeof ret_key->id);
    memcpy(ret_secret->id, ret_key->id, sizeof ret_secret->id);
    crypto_sign_seed_keypair(ret_key->key, ret_secret->key, seed);
    sodium_memzero(seed, sizeof seed);
}

void signature_key_write(const struct signature_key *key, struct buf *out)
{
    struct signature_public_blob blob;
    char id[SIGNATURE_ID_SIZE];
    memcpy(blob.algorithm, SIGNATURE_LEGACY, sizeof blob.algorithm);
    memcpy(blob.id, key->id, sizeof blob.id);
    memcpy(blob.key, key->key, sizeof blob.key);
    buf_addf(out, SIGNATURE_UNTRUSTED "minisign public key %s\n", signature_id(key->id, id));
    write_base64(&blob, sizeof blob, out);
}

void signature_secret_write(const struct signature_secret *secret, struct buf *out)
{
    struct secret_blob blob = {.derivation = {0}};
    memcpy(blob.algorithm, SIGNATURE_LEGACY, sizeof blob.algorithm);
    memcpy(blob.checksum_algorithm, CHECKSUM_ALGORITHM, sizeof blob.checksum_algorithm);
    memcpy(blob.id, secret->id, sizeof blob.id);
    memcpy(blob.key, secret->key, sizeof blob.key);
    buf_add_string(out, SIGNATURE_UNTRUSTED "minisign secret key without a password\n");
    write_base64(&blob, sizeof blob, out);
    sodium_memzero(&blob, sizeof blob);
}

/* The second half of a key is the public one, which follows from the first. */
static bool is_whole(const unsigned char key[static SIGNATURE_SECRET_BYTES])
{
    unsigned char public[SIGNATURE_KEY_BYTES], again[SIGNATURE_SECRET_BYTES];
    crypto_sign_seed_keypair(public, again, key);
    bool whole = sodium_memcmp(again, key, sizeof again) == 0;
    sodium_memzero(again, sizeof again);
    return whole;
}

static enum err check_secret(const struct secret_blob *blob)
{
    static const unsigned char none[sizeof blob->derivation];
    if (memcmp(blob->algorithm, SIGNATURE_LEGACY, sizeof blob->algorithm) != 0 ||
        memcmp(blob->checksum_algorithm, CHECKSUM_ALGORITHM, sizeof blob->checksum_algorithm) != 0)
        return err_because(ERR_INVALID, "it is not a secret key of minisign's");
    if (memcmp(blob->derivation, none, sizeof none) != 0)
        return err_because(ERR_FORBIDDEN, "the key has a password: sign with minisign, or with a key without one "
                                          "(minisign -G -W, tandemctl conf keygen)");
    if (!is_whole(blob->key))
        return err_because(ERR_INVALID, "the secret key is damaged");
    return ERR_NONE;
}

enum err signature_secret_parse(struct text content, struct signature_secret *ret)
{
    struct secret_blob blob;
    struct text comment;
    enum err err = ERR_NONE;
    if (!signature_comment(&content, SIGNATURE_UNTRUSTED, &comment) ||
        !signature_base64(&content, &blob, sizeof blob))
        err = err_because(ERR_INVALID, "it is not a secret key of minisign's");
    else
        err = check_secret(&blob);
    if (!err) {
        memcpy(ret->id, blob.id, sizeof ret->id);
        memcpy(ret->key, blob.key, sizeof ret->key);
    }
    sodium_memzero(&blob, sizeof blob);
    return err;
}

/* ---- signing ---- */

enum err signature_sign(const struct signature_secret *secret, struct text content, struct text comment,
                        struct buf *out)
{
    struct signature_blob blob;
    unsigned char hash[SIGNATURE_HASH_BYTES], global[crypto_sign_BYTES];
    unsigned char message[crypto_sign_BYTES + SIGNATURE_COMMENT_MAX];
    char id[SIGNATURE_ID_SIZE];
    if (comment.length > SIGNATURE_COMMENT_MAX || text_find(comment, '\n') >= 0 || text_find(comment, '\r') >= 0)
        return err_because(ERR_INVALID, "a trusted comment is one line of at most %d bytes", SIGNATURE_COMMENT_MAX);
    memcpy(blob.algorithm, SIGNATURE_PREHASHED, sizeof blob.algorithm);
    memcpy(blob.id, secret->id, sizeof blob.id);
    crypto_generichash(hash, sizeof hash, (const unsigned char *)(content.at ? content.at : ""), content.length, NULL,
                       0);
    crypto_sign_detached(blob.signature, NULL, hash, sizeof hash, secret->key);
    memcpy(message, blob.signature, crypto_sign_BYTES);
    memcpy(message + crypto_sign_BYTES, comment.at ? comment.at : "", comment.length);
    crypto_sign_detached(global, NULL, message, crypto_sign_BYTES + comment.length, secret->key);

    buf_addf(out, SIGNATURE_UNTRUSTED "signature from minisign secret key %s\n", signature_id(secret->id, id));
    write_base64(&blob, sizeof blob, out);
    buf_addf(out, SIGNATURE_TRUSTED "%.*s\n", TEXT_ARGS(comment));
    write_base64(global, sizeof global, out);
    return buf_check(out);
}
