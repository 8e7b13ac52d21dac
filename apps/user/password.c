#include "config.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "apps/user/password.h"
#include "base/id.h"

/* As in the text form of argon2id that libsodium makes. */
enum { DUMMY_HASH_BYTES = 32, BASE64_SIZE = 64 };

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "the header's size is libsodium's");

static size_t memory_bytes(const struct password_cost *cost)
{
    return (size_t)cost->memory_kib * 1024;
}

enum err password_hash(struct secret given, const struct password_cost *cost,
                       char out[static PASSWORD_HASH_SIZE])
{
    struct text password = secret_reveal(given);
    char hash[PASSWORD_HASH_SIZE];

    if (sodium_init() < 0)
        return err_because(ERR_INTERNAL, "libsodium cannot be used");
    errno = 0;
    if (crypto_pwhash_str_alg(hash, password.at, password.length, cost->passes, memory_bytes(cost),
                              crypto_pwhash_ALG_ARGON2ID13) != 0) {
        if (errno == EINVAL || errno == EFBIG)
            return err_because(ERR_CONFIG, "password.passes %u with password.memory_kib %u is not a cost of argon2id",
                               cost->passes, cost->memory_kib);
        return err_because(ERR_MEMORY, "no %u KiB to hash a password with", cost->memory_kib);
    }
    memcpy(out, hash, sizeof hash);
    return ERR_NONE;
}

static void random_base64(char *out, size_t size, size_t bytes)
{
    unsigned char random[DUMMY_HASH_BYTES];
    random_bytes(random, bytes);
    sodium_bin2base64(out, size, random, bytes, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

void password_dummy(const struct password_cost *cost, char out[static PASSWORD_HASH_SIZE])
{
    char salt[BASE64_SIZE], hash[BASE64_SIZE];
    random_base64(salt, sizeof salt, crypto_pwhash_SALTBYTES);
    random_base64(hash, sizeof hash, DUMMY_HASH_BYTES);
    snprintf(out, PASSWORD_HASH_SIZE, "%sv=19$m=%u,t=%u,p=1$%.22s$%.43s", crypto_pwhash_argon2id_STRPREFIX,
             cost->memory_kib, cost->passes, salt, hash);
}

/* libsodium wants the whole array, with zeros after the text. */
static bool hash_string(struct text hash, char out[static PASSWORD_HASH_SIZE])
{
    memset(out, 0, PASSWORD_HASH_SIZE);
    if (hash.length >= PASSWORD_HASH_SIZE)
        return false;
    memcpy(out, hash.at, hash.length);
    return true;
}

enum err password_verify(struct secret given, struct text hash)
{
    struct text password = secret_reveal(given);
    char string[PASSWORD_HASH_SIZE];

    if (sodium_init() < 0)
        return err_because(ERR_INTERNAL, "libsodium cannot be used");
    errno = 0;
    if (hash_string(hash, string) && crypto_pwhash_str_verify(string, password.at, password.length) == 0)
        return ERR_NONE;
    if (errno == ENOMEM)
        return err_because(ERR_MEMORY, "no memory to verify a password with");
    return err_because(ERR_UNAUTHENTICATED, "the password does not match");
}

bool password_outdated(struct text hash, const struct password_cost *cost)
{
    char string[PASSWORD_HASH_SIZE];

    return !hash_string(hash, string) || crypto_pwhash_str_needs_rehash(string, cost->passes, memory_bytes(cost)) != 0;
}
