/*
 * What a Redis answers, in whatever pieces: it is a reply within the limits, or refused; and what is taken from one is
 * read as a value or is none.
 */
#include "config.h"

#include <assert.h>

#include "cache/redis_command.h"
#include "cache/redis_replies.h"
#include "cache/remote_private.h"
#include "check/fuzz/fuzz.h"

enum { DEPTH_MAX = 10 };

static void hold(const redisReply *reply, unsigned depth)
{
    struct stored stored;
    struct text text = redis_text(reply);
    assert(depth < DEPTH_MAX && reply->elements <= REDIS_ARRAY_MAX && reply->len <= REDIS_REPLY_MAX);
    if (text.at && stored_read(text, &stored))
        assert(stored.group.length + stored.value.length < text.length);
    for (size_t i = 0; i < reply->elements; i++)
        hold(reply->element[i], depth + 1);
}

/* Until there is none any more. */
static enum err take_all(struct redis_replies *replies)
{
    redisReply *reply;
    enum err err;
    while ((err = redis_replies_take(replies, &reply)) == ERR_NONE) {
        hold(reply, 0);
        freeReplyObject(reply);
    }
    return err;
}

/* The first byte is how long the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_replies *replies;
    if (size == 0 || redis_replies_new(&replies) != ERR_NONE)
        return 0;
    size_t piece = data[0] ? data[0] : size;
    enum err err = ERR_AGAIN;
    for (size_t at = 1; at < size && err == ERR_AGAIN; at += piece) {
        struct text bytes = {(const char *)data + at, size - at < piece ? size - at : piece};
        err = redis_replies_feed(replies, bytes);
        if (!err)
            err = take_all(replies);
    }
    assert(err == ERR_AGAIN || err == ERR_PROTOCOL || err == ERR_MEMORY);
    redis_replies_free(replies);
    return 0;
}
