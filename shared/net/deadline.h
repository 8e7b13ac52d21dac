/*
 * Deadlines by the thousand: one queue per duration.
 *
 * All deadlines of a queue are armed for the same duration, so the one armed first runs out first: the queue is a list
 * in that order, and arming, moving, disarming and expiring cost the same however many there are.
 *
 * The caller embeds both structs and owns them. Used by one thread, that of the reactor they belong to.
 */
#ifndef TANDEM_NET_DEADLINE_H
#define TANDEM_NET_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadline_queue;

/* Zeroed is disarmed. */
struct deadline {
    struct deadline *previous, *next;
    struct deadline_queue *queue;        /* NULL: disarmed */
    int64_t at_ns;
};

struct deadline_queue {
    struct deadline ends;                /* the list is a ring through this one */
    int64_t duration_ns;                 /* 0: nothing in it ever runs out */
    void (*expired)(struct deadline *);  /* called with the deadline disarmed; it may arm, disarm and free any */
    struct deadline_queue *next_queue;   /* the reactor's */
};

void deadline_queue_init(struct deadline_queue *queue, unsigned duration_ms, void (*expired)(struct deadline *));

/** Arms it for now_ns plus the queue's duration, taking it out of the queue that it is in. now_ns must not go backwards
 *  from one call to the next. */
void deadline_arm(struct deadline_queue *queue, struct deadline *deadline, int64_t now_ns);

/** Nothing happens when it is not armed. */
void deadline_disarm(struct deadline *deadline);

/** When the first of the queue runs out; INT64_MAX when none does. */
int64_t deadline_queue_next_ns(const struct deadline_queue *queue);

/** Calls expired for each that has run out. */
void deadline_queue_expire(struct deadline_queue *queue, int64_t now_ns);

#endif
