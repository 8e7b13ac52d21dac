/*
 * A secret: a password, a token, what stands for a card. A view like struct text, and a type of its own, so that it
 * fits nowhere where a text is logged, printed or made part of a cause; what is to be done with the bytes says so by
 * secret_reveal(). In JSON it is a field of type JSON_SECRET.
 *
 * Logged as LOG_SECRET("password"), which tells that there is one, and nothing of it.
 */
#ifndef TANDEM_BASE_SECRET_H
#define TANDEM_BASE_SECRET_H

#include <stdbool.h>

#include "base/text.h"

struct secret {
    struct text hidden;      /* for secret_reveal() */
};

#define SECRET_NONE ((struct secret){TEXT_NONE})

static inline struct secret secret_of(struct text text)
{
    return (struct secret){text};
}

static inline bool secret_is_given(struct secret secret)
{
    return secret.hidden.at != NULL;
}

/** The bytes: to hash, to compare, to send to whom they are for. Never for a log or a cause. */
static inline struct text secret_reveal(struct secret secret)
{
    return secret.hidden;
}

#endif
