/*
 * Identifiers: UUID version 7 (RFC 9562, 5.7) for everything stored, and random tokens for secrets. Any thread.
 *
 * Ids made by one process rise strictly, also within a millisecond and when the wall clock steps back (RFC 9562,
 * 6.2, method 1 with a counter), so that they insert at the end of an index and sort by creation.
 */
#ifndef TANDEM_BASE_ID_H
#define TANDEM_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
    ID_SIZE = 37,              /* 36 characters and a zero */
    ID_LENGTH = 36,
    TOKEN_BYTES = 32,          /* 256 random bits */
    TOKEN_SIZE = 44,           /* 43 characters of base64url, unpadded, and a zero */
    TOKEN_DIGEST_SIZE = 65,    /* SHA-256 in lower-case hexadecimal and a zero */
};

/** A new UUIDv7 in lower-case text; returns out. */
char *id_new(char out[static ID_SIZE]);

/** The first id that may be made in the millisecond of this wall time: those made before are less. Returns out. */
char *id_first_of(int64_t wall_us, char out[static ID_SIZE]);

/** Whether this is a UUID in canonical lower-case text, of any version. */
bool id_is_valid(struct text text);

/** A new secret token; returns out. */
char *token_new(char out[static TOKEN_SIZE]);

/** The SHA-256 of bytes in hexadecimal, which is how tokens and request digests are stored; returns out. */
char *digest_hex(struct text bytes, char out[static TOKEN_DIGEST_SIZE]);

/** Fills with random bytes from the kernel. */
void random_bytes(void *out, size_t length);

/** A random number in [0, below); below > 0. For jitter and sampling. */
uint32_t random_below(uint32_t below);

#endif
