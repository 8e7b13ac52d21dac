/*
 * Passwords: argon2id (RFC 9106) through libsodium. A hash is one line of text that names its own cost.
 * What is hashed is the password's bytes as they came; no Unicode normalisation.
 *
 * Both hashing and verifying take password.memory_kib and tens of milliseconds: worker threads only.
 */
#ifndef TANDEM_APPS_USER_PASSWORD_H
#define TANDEM_APPS_USER_PASSWORD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"

enum { PASSWORD_HASH_SIZE = 128 };

struct password_cost {
    unsigned passes;
    unsigned memory_kib;
};

/** ERR_MEMORY when the memory cannot be had, ERR_CONFIG for a cost libsodium does not take. */
enum err must_check password_hash(struct secret password, const struct password_cost *cost,
                                  char out[static PASSWORD_HASH_SIZE]);

/** What looks like a hash and matches nothing: to verify against when there is no account, which then takes as long as
 *  when there is one. Made of random bytes, so that starting costs neither the time nor the memory. */
void password_dummy(const struct password_cost *cost, char out[static PASSWORD_HASH_SIZE]);

/** ERR_NONE when it is this password, ERR_UNAUTHENTICATED when it is not (or when the hash is not of this kind). */
enum err must_check password_verify(struct secret password, struct text hash);

/** Whether the hash was made at another cost, so that it should be made again while the password is known. */
bool password_outdated(struct text hash, const struct password_cost *cost);

#endif
