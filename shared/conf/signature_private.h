/* minisign's format, for those who read it and those who write it. */
#ifndef TANDEM_CONF_SIGNATURE_PRIVATE_H
#define TANDEM_CONF_SIGNATURE_PRIVATE_H

#include <sodium.h>
#include <stdbool.h>

#include "conf/signature.h"

#define SIGNATURE_UNTRUSTED "untrusted comment: "
#define SIGNATURE_TRUSTED "trusted comment: "

/* Over the bytes themselves, and over their BLAKE2b-512. The first also names the kind of a key. */
#define SIGNATURE_LEGACY "Ed"
#define SIGNATURE_PREHASHED "ED"

enum { SIGNATURE_ALGORITHM_BYTES = 2, SIGNATURE_HASH_BYTES = 64, SIGNATURE_COMMENT_MAX = 8192 };

/* As they stand in the files, in base64. */
struct signature_public_blob {
    unsigned char algorithm[SIGNATURE_ALGORITHM_BYTES];
    unsigned char id[SIGNATURE_ID_BYTES];
    unsigned char key[SIGNATURE_KEY_BYTES];
};

struct signature_blob {
    unsigned char algorithm[SIGNATURE_ALGORITHM_BYTES];
    unsigned char id[SIGNATURE_ID_BYTES];
    unsigned char signature[crypto_sign_BYTES];
};

/** Cuts off the next line, without its end; absent when there is none. */
struct text signature_line(struct text *rest);

/** Cuts off a line that begins with prefix; what follows it there is in *ret. False when the line does not. */
bool signature_comment(struct text *rest, const char *prefix, struct text *ret);

/** Cuts off a line of base64 that is of exactly this many bytes. */
bool signature_base64(struct text *rest, void *out, size_t length);

#endif
