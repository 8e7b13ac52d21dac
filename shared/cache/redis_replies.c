#include "config.h"

#include <stdlib.h>

#include "cache/redis_replies.h"

struct redis_replies {
    redisReader *reader;
    const redisReplyObjectFunctions *made_by_hiredis;
    redisReplyObjectFunctions functions;   /* the same but for arrays */
    size_t bytes;                          /* of the reply under way, and what follows it */
    bool is_too_long;                      /* an array is */
};

#if HIREDIS_MAJOR < 1
typedef int array_length;
#else
typedef size_t array_length;
#endif

/* Called with the length that the reply says it has, before its elements are there. */
static void *create_array(const redisReadTask *task, array_length length)
{
    struct redis_replies *replies = task->privdata;
    if (length > REDIS_ARRAY_MAX) {
        replies->is_too_long = true;
        return NULL;
    }
    return replies->made_by_hiredis->createArray(task, length);
}

enum err redis_replies_new(struct redis_replies **ret)
{
    struct redis_replies *replies = calloc(1, sizeof *replies);
    redisReader *reader = replies ? redisReaderCreate() : NULL;
    if (!reader) {
        free(replies);
        return err_because(ERR_MEMORY, "no memory for replies of Redis");
    }
    replies->reader = reader;
    replies->made_by_hiredis = reader->fn;
    replies->functions = *reader->fn;
    replies->functions.createArray = create_array;
    reader->fn = &replies->functions;
    reader->privdata = replies;
    *ret = replies;
    return ERR_NONE;
}

void redis_replies_free(struct redis_replies *replies)
{
    if (!replies)
        return;
    redisReaderFree(replies->reader);
    free(replies);
}

enum err redis_replies_feed(struct redis_replies *replies, struct text bytes)
{
    if (bytes.length > REDIS_REPLY_MAX - replies->bytes)
        return err_because(ERR_PROTOCOL, "a reply of more than %d bytes", REDIS_REPLY_MAX);
    if (redisReaderFeed(replies->reader, bytes.at, bytes.length) != REDIS_OK)
        return err_because(ERR_MEMORY, "%s", replies->reader->errstr);
    replies->bytes += bytes.length;
    return ERR_NONE;
}

enum err redis_replies_take(struct redis_replies *replies, redisReply **ret)
{
    redisReader *reader = replies->reader;
    void *reply = NULL;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
        if (replies->is_too_long)
            return err_because(ERR_PROTOCOL, "a reply with an array of more than %d elements", REDIS_ARRAY_MAX);
        return err_because(ERR_PROTOCOL, "no reply that can be understood: %s", reader->errstr);
    }
    if (!reply)
        return ERR_AGAIN;
    replies->bytes = reader->len - reader->pos;
    *ret = reply;
    return ERR_NONE;
}

bool redis_replies_is_empty(const struct redis_replies *replies)
{
    return replies->bytes == 0;
}
