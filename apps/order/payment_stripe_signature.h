/*
 * Whether a notice comes from the gateway, and comes now: its header field "t=TIME,v1=HEX,v1=HEX,…", where each v1 is
 * an HMAC-SHA256, with a secret that the gateway and we share, of "TIME.BODY". While a secret is changed there are two
 * secrets, and signatures by each.
 *
 * Pure functions: any thread. Comparing takes the same time wherever the bytes differ.
 */
#ifndef TANDEM_ORDER_PAYMENT_STRIPE_SIGNATURE_H
#define TANDEM_ORDER_PAYMENT_STRIPE_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"

enum { STRIPE_SIGNATURES_MAX = 8, STRIPE_SECRETS_MAX = 8, STRIPE_SIGNATURE_BYTES = 32 };

struct stripe_signature {
    struct text time;                  /* as it is signed */
    int64_t time_s;
    unsigned char v1[STRIPE_SIGNATURES_MAX][STRIPE_SIGNATURE_BYTES];
    size_t count;
};

/** Reads the header field. Parts of other schemes are passed over. ERR_MALFORMED, with a cause, without one time and at
 *  least one v1, for what is no time or no signature, or for more than STRIPE_SIGNATURES_MAX. */
enum err must_check stripe_signature_read(struct text header, struct stripe_signature *ret);

/** ERR_FORBIDDEN, with a cause, when it was made longer ago, or later, than the tolerance. */
enum err must_check stripe_signature_check_time(const struct stripe_signature *signature, int64_t now_s,
                                                int64_t tolerance_s);

/** ERR_FORBIDDEN unless one of its v1 is by one of the secrets. */
enum err must_check stripe_signature_check(const struct stripe_signature *signature, struct text body,
                                           const struct secret *secrets, size_t count);

/** The secrets of a file's content, one a line, up to STRIPE_SECRETS_MAX; spaces around them and empty lines are passed
 *  over. Returns how many; they are views. */
size_t stripe_secrets_read(struct text content, struct secret ret[static STRIPE_SECRETS_MAX]);

#endif
