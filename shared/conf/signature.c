#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/signature_private.h"

enum { KEY_FILE_MAX = 4096 };

_Static_assert(SIGNATURE_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "the header's size is libsodium's");
_Static_assert(sizeof(struct signature_blob) == 74 && sizeof(struct signature_public_blob) == 42, "no padding");

char *signature_id(const unsigned char id[static SIGNATURE_ID_BYTES], char out[static SIGNATURE_ID_SIZE])
{
    for (size_t i = 0; i < SIGNATURE_ID_BYTES; i++)   /* a number, least byte first */
        snprintf(out + 2 * i, 3, "%02X", id[SIGNATURE_ID_BYTES - 1 - i]);
    return out;
}

/* ---- lines ---- */

struct text signature_line(struct text *rest)
{
    struct text line = text_split(rest, '\n');
    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    return line;
}

bool signature_comment(struct text *rest, const char *prefix, struct text *ret)
{
    struct text line = signature_line(rest);
    struct text start = text_of(prefix);
    if (!line.at || !text_starts(line, start))
        return false;
    *ret = (struct text){line.at + start.length, line.length - start.length};
    return true;
}

bool signature_base64(struct text *rest, void *out, size_t length)
{
    struct text line = signature_line(rest);
    size_t got;
    return line.at && sodium_base642bin(out, length, line.at, line.length, NULL, &got, NULL,
                                        sodium_base64_VARIANT_ORIGINAL) == 0 && got == length;
}

/* Nothing but the end of the last line. */
static bool is_end(struct text rest)
{
    return !rest.at || rest.length == 0;
}

/* ---- public keys ---- */

enum err signature_key_parse(struct text content, struct signature_key *ret)
{
    struct signature_public_blob blob;
    struct text comment;
    if (!signature_comment(&content, SIGNATURE_UNTRUSTED, &comment) ||
        !signature_base64(&content, &blob, sizeof blob) || !is_end(content) ||
        memcmp(blob.algorithm, SIGNATURE_LEGACY, sizeof blob.algorithm) != 0)
        return err_because(ERR_INVALID, "it is not a public key of minisign's");
    memcpy(ret->id, blob.id, sizeof ret->id);
    memcpy(ret->key, blob.key, sizeof ret->key);
    return ERR_NONE;
}

enum err signature_key_read(const char *path, struct signature_key *ret)
{
    char content[KEY_FILE_MAX];
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(content, 1, sizeof content, file) : 0;
    enum err err = file && !ferror(file) ? ERR_NONE : err_because(ERR_IO, "%s", strerror(errno));
    if (file)
        fclose(file);
    return err ? err : signature_key_parse((struct text){content, length}, ret);
}

/* ---- verifying ---- */

struct parsed {
    struct signature_blob blob;
    struct text comment;
    unsigned char global[crypto_sign_BYTES];
};

static enum err parse(struct text signature, struct parsed *ret)
{
    struct text untrusted;
    if (!signature_comment(&signature, SIGNATURE_UNTRUSTED, &untrusted) ||
        !signature_base64(&signature, &ret->blob, sizeof ret->blob) ||
        !signature_comment(&signature, SIGNATURE_TRUSTED, &ret->comment) ||
        !signature_base64(&signature, ret->global, sizeof ret->global) || !is_end(signature) ||
        ret->comment.length > SIGNATURE_COMMENT_MAX)
        return err_because(ERR_INVALID, "its signature is cut off, or not in minisign's format");
    return ERR_NONE;
}

static bool signs_content(const struct signature_key *key, const struct parsed *parsed, struct text content)
{
    const unsigned char *message = (const unsigned char *)(content.at ? content.at : "");
    unsigned char hash[SIGNATURE_HASH_BYTES];
    size_t length = content.length;
    if (memcmp(parsed->blob.algorithm, SIGNATURE_PREHASHED, SIGNATURE_ALGORITHM_BYTES) == 0) {
        crypto_generichash(hash, sizeof hash, message, length, NULL, 0);
        message = hash;
        length = sizeof hash;
    } else if (memcmp(parsed->blob.algorithm, SIGNATURE_LEGACY, SIGNATURE_ALGORITHM_BYTES) != 0) {
        return false;
    }
    return crypto_sign_verify_detached(parsed->blob.signature, message, length, key->key) == 0;
}

static bool signs_comment(const struct signature_key *key, const struct parsed *parsed)
{
    unsigned char message[crypto_sign_BYTES + SIGNATURE_COMMENT_MAX];
    memcpy(message, parsed->blob.signature, crypto_sign_BYTES);
    memcpy(message + crypto_sign_BYTES, parsed->comment.at, parsed->comment.length);
    return crypto_sign_verify_detached(parsed->global, message, crypto_sign_BYTES + parsed->comment.length,
                                       key->key) == 0;
}

enum err signature_verify(const struct signature_key *key, struct text content, struct text signature,
                          struct text *ret_comment)
{
    struct parsed parsed;
    enum err err = parse(signature, &parsed);
    if (err)
        return err;
    if (memcmp(parsed.blob.id, key->id, sizeof key->id) != 0) {
        char signer[SIGNATURE_ID_SIZE], wanted[SIGNATURE_ID_SIZE];
        return err_because(ERR_FORBIDDEN, "it is signed with the key %s, not with %s",
                           signature_id(parsed.blob.id, signer), signature_id(key->id, wanted));
    }
    if (!signs_content(key, &parsed, content))
        return err_because(ERR_FORBIDDEN, "it is not what was signed: it, or its signature, was altered");
    if (!signs_comment(key, &parsed))
        return err_because(ERR_FORBIDDEN, "the trusted comment of its signature was altered");
    if (ret_comment)
        *ret_comment = parsed.comment;
    return ERR_NONE;
}
