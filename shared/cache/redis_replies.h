/*
 * Replies as they come in, in whatever pieces: hiredis takes them apart, and what is beyond a limit is refused before
 * memory is taken for it. Pure; one thread at a time.
 */
#ifndef TANDEM_CACHE_REDIS_REPLIES_H
#define TANDEM_CACHE_REDIS_REPLIES_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"

/* The most a reply may be: CLUSTER SLOTS, when each slot has a range of its own, is about as large. How deep arrays may
 * be nested is hiredis' limit: seven, nine from version 1.0 on. */
enum { REDIS_REPLY_MAX = 8 * 1024 * 1024, REDIS_ARRAY_MAX = 16384 };

struct redis_replies;

/** ERR_MEMORY. */
enum err must_check redis_replies_new(struct redis_replies **ret);

/** NULL is fine. */
void redis_replies_free(struct redis_replies *replies);

/** Takes what was read. ERR_PROTOCOL: the reply under way is too large. ERR_MEMORY. After an error, here or from the
 *  next function, what follows has no meaning. */
enum err must_check redis_replies_feed(struct redis_replies *replies, struct text bytes);

/** The next reply, which is the caller's to freeReplyObject(). ERR_AGAIN: it is not there yet, or not whole.
 *  ERR_PROTOCOL: it is none, or beyond a limit. */
enum err must_check redis_replies_take(struct redis_replies *replies, redisReply **ret);

/** Whether nothing is left of what was read. */
bool redis_replies_is_empty(const struct redis_replies *replies);

#endif
