/* A command to Redis, as views of its words; and what a reply says. For the files of the remote part. */
#ifndef TANDEM_CACHE_REDIS_COMMAND_H
#define TANDEM_CACHE_REDIS_COMMAND_H

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

enum { REDIS_WORDS_MAX = 12 };

struct redis_command {
    int count;
    const char *words[REDIS_WORDS_MAX];
    size_t lengths[REDIS_WORDS_MAX];
};

static inline void redis_word(struct redis_command *command, struct text word)
{
    assert(command->count < REDIS_WORDS_MAX);
    command->words[command->count] = word.at;
    command->lengths[command->count++] = word.length;
}

/* The text of a string or an error; absent for anything else. */
static inline struct text redis_text(const redisReply *reply)
{
    bool has_text = reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
                              reply->type == REDIS_REPLY_ERROR);
    return has_text ? (struct text){reply->str, reply->len} : TEXT_NONE;
}

static inline bool redis_is_error(const redisReply *reply, const char *code)
{
    size_t length = strlen(code);
    return reply && reply->type == REDIS_REPLY_ERROR && reply->len >= length && memcmp(reply->str, code, length) == 0;
}

#endif
