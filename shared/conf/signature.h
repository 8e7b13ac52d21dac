/*
 * Signatures of files: Ed25519 in minisign's format (https://jedisct1.github.io/minisign/), verified with libsodium.
 *
 * A signature is a file of four lines: an untrusted comment; base64 of the algorithm, the key's id and the signature;
 * the trusted comment; base64 of a second signature, over the first one and the trusted comment. The algorithm is "Ed"
 * (the file itself is signed, as `minisign -S -l` does) or "ED" (its BLAKE2b-512 is). Both signatures are verified.
 *
 * What a signature says: somebody who has the secret key signed these bytes. It does not say that they are the latest,
 * nor what the file was called.
 *
 * Pure functions but for the one that reads a file: any thread.
 */
#ifndef TANDEM_CONF_SIGNATURE_H
#define TANDEM_CONF_SIGNATURE_H

#include "base/err.h"
#include "base/text.h"

/* A signature stands beside its file, under the same name and this. */
#define SIGNATURE_SUFFIX ".minisig"

enum {
    SIGNATURE_ID_BYTES = 8,
    SIGNATURE_KEY_BYTES = 32,
    SIGNATURE_ID_SIZE = 2 * SIGNATURE_ID_BYTES + 1,   /* in hexadecimal */
};

/* A public key. */
struct signature_key {
    unsigned char id[SIGNATURE_ID_BYTES];
    unsigned char key[SIGNATURE_KEY_BYTES];
};

/** A key's id as minisign prints it; returns out. */
char *signature_id(const unsigned char id[static SIGNATURE_ID_BYTES], char out[static SIGNATURE_ID_SIZE]);

/** The key of a public key file's content: a comment, and a line of base64. ERR_INVALID. */
enum err must_check signature_key_parse(struct text content, struct signature_key *ret);

/** The same of a file. ERR_IO, ERR_INVALID. */
enum err must_check signature_key_read(const char *path, struct signature_key *ret);

/**
 * Verifies content by the content of its signature's file. ERR_INVALID for what is no signature, ERR_FORBIDDEN for one
 * of another key or of other bytes, each with a cause that speaks of "it" (the file). ret_comment (may be NULL) becomes
 * a view into signature of the trusted comment.
 */
enum err must_check signature_verify(const struct signature_key *key, struct text content, struct text signature,
                                     struct text *ret_comment);

#endif
