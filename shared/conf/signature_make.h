/*
 * Making keys and signatures that minisign takes as its own, for those without it (conf/signature.h).
 *
 * Secret keys are without a password, as `minisign -G -W` makes them: the mode of their file protects them.
 */
#ifndef TANDEM_CONF_SIGNATURE_MAKE_H
#define TANDEM_CONF_SIGNATURE_MAKE_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/signature.h"

enum { SIGNATURE_SECRET_BYTES = 64, SIGNATURE_SECRET_FILE_MAX = 1024 };

struct signature_secret {
    unsigned char id[SIGNATURE_ID_BYTES];
    unsigned char key[SIGNATURE_SECRET_BYTES];
};

/** A new pair. */
void signature_new(struct signature_key *ret_key, struct signature_secret *ret_secret);

/** The content of their files. Whether it fitted is asked of out. */
void signature_key_write(const struct signature_key *key, struct buf *out);
void signature_secret_write(const struct signature_secret *secret, struct buf *out);

/** The key of a secret key file's content. ERR_INVALID; ERR_FORBIDDEN for one that has a password. */
enum err must_check signature_secret_parse(struct text content, struct signature_secret *ret);

/** Writes the signature of content; comment is the trusted one, a line. ERR_INVALID for a comment that is none. */
enum err must_check signature_sign(const struct signature_secret *secret, struct text content, struct text comment,
                                   struct buf *out);

#endif
