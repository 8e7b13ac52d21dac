/*
 * A link to a Redis: commands are added, sent together, and their replies read in order, over TCP, TLS or a unix
 * socket, each within a deadline of the monotonic clock. The protocol is RESP2; hiredis takes replies apart.
 *
 * After an error a link is of no use but to be closed. Any thread, a link by one at a time.
 */
#ifndef TANDEM_CACHE_REDIS_LINK_H
#define TANDEM_CACHE_REDIS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cache/redis_command.h"
#include "cache/redis_socket.h"
#include "cache/redis_tls.h"

enum { REDIS_SENT_MAX = 16 * 1024 * 1024 };

struct redis_link;

/** Connects, and shakes hands. tls NULL: without. ERR_DEADLINE, ERR_UNAVAILABLE, ERR_MEMORY. */
enum err must_check redis_link_open(const struct redis_address *address, const struct redis_tls_opts *tls,
                                    int64_t deadline_ns, struct redis_link **ret);

/** NULL is fine. */
void redis_link_close(struct redis_link *link);

/** Adds a command to what is sent next. */
void redis_link_add(struct redis_link *link, const struct redis_command *command);

/** Sends what was added. ERR_CLOSED: the other side has closed the link. ERR_MEMORY: more than REDIS_SENT_MAX bytes.
 *  ERR_DEADLINE, ERR_UNAVAILABLE. */
enum err must_check redis_link_send(struct redis_link *link, int64_t deadline_ns);

/** The next reply, which is the caller's to freeReplyObject(). ERR_CLOSED: the other side has closed the link, and of
 *  this reply there was nothing. ERR_PROTOCOL as of cache/redis_replies.h. ERR_DEADLINE, ERR_UNAVAILABLE. */
enum err must_check redis_link_read(struct redis_link *link, int64_t deadline_ns, redisReply **ret);

/** Whether the server has said no more than was read. What it says unasked would be taken for the next reply. */
bool redis_link_is_quiet(const struct redis_link *link);

#endif
