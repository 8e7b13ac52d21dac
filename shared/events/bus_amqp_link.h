/*
 * A connection to RabbitMQ with two channels: 1 for what it is there for, and 2 for questions whose answer may be that
 * there is no such thing, which closes a channel.
 *
 * It is opened to the first of the hosts that takes it, beginning with the one that took it last. Whatever goes wrong
 * closes it; who uses it opens it again. Waits are bounded: connecting by connect_timeout_ms a host, answers by
 * BUS_AMQP_ANSWER_MS, what is sent and not taken by publish_timeout_ms, silence by the heartbeat.
 *
 * One thread at a time: the lock is for its users.
 */
#ifndef TANDEM_EVENTS_BUS_AMQP_LINK_H
#define TANDEM_EVENTS_BUS_AMQP_LINK_H

#include <amqp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "events/bus_amqp_settings.h"

enum { BUS_AMQP_CHANNEL = 1, BUS_AMQP_QUESTIONS = 2, BUS_AMQP_ANSWER_MS = 5000 };

struct bus_amqp_link {
    const struct bus_amqp_settings *settings;
    const char *purpose;                  /* told to the broker, for its operator: "publishes" */
    pthread_mutex_t lock;
    amqp_connection_state_t connection;   /* NULL: there is none */
    unsigned host;                        /* that is tried first */
    unsigned failures;                    /* to open it, since it was open last */
    int64_t next_try_ns;
    bool was_open;
    bool is_blocked;                      /* the broker takes nothing from who publishes */
    char blocked_because[96];
};

void bus_amqp_link_init(struct bus_amqp_link *link, const struct bus_amqp_settings *settings, const char *purpose);
void bus_amqp_link_fini(struct bus_amqp_link *link);

static inline bool bus_amqp_link_is_open(const struct bus_amqp_link *link)
{
    return link->connection != NULL;
}

/** Opens it; nothing when it is open. ERR_UNAVAILABLE; ERR_CONFIG for what the broker refuses. */
enum err must_check bus_amqp_link_open(struct bus_amqp_link *link);

/** How long to wait before it is tried again, after failures: 0 when it is time. */
unsigned bus_amqp_link_wait_ms(const struct bus_amqp_link *link);

/** Closes it, having told the broker or not. Nothing when it is closed. */
void bus_amqp_link_close(struct bus_amqp_link *link, bool tells);

/** What came of the call just made on that channel, `what` for the cause: "declare tandem.order.0". A connection that
 *  is of no use any more is closed; a channel for questions is there again. ERR_UNAVAILABLE, ERR_CONFIG, ERR_NOT_FOUND,
 *  ERR_BUSY. */
enum err must_check bus_amqp_link_reply(struct bus_amqp_link *link, amqp_channel_t channel, const char *what);

/** The same of a status. */
enum err must_check bus_amqp_link_status(struct bus_amqp_link *link, const char *what, int status);

/** Reads the next frame if there is one, waiting for at most timeout_ms; *ret_has false when there is none. What is
 *  about the connection itself is dealt with, and not returned. An error has closed it. */
enum err must_check bus_amqp_link_frame(struct bus_amqp_link *link, unsigned timeout_ms, amqp_frame_t *ret,
                                        bool *ret_has);

/** Sends a heartbeat, for whoever does not read at the moment; reading sends them by itself. */
enum err must_check bus_amqp_link_beat(struct bus_amqp_link *link);

/** What a frame says of the connection: blocked, closed. *ret_is_other when it says nothing of it. */
enum err must_check bus_amqp_link_heed(struct bus_amqp_link *link, const amqp_frame_t *frame, bool *ret_is_other);

/* ---- bytes ---- */

static inline amqp_bytes_t bus_amqp_bytes(struct text text)
{
    return (amqp_bytes_t){text.length, (void *)(uintptr_t)text.at};
}

static inline struct text bus_amqp_text(amqp_bytes_t bytes)
{
    return (struct text){bytes.bytes ? bytes.bytes : "", bytes.len};
}

#endif
