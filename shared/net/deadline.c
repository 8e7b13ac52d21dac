#include "config.h"

#include <stddef.h>

#include "base/clock.h"
#include "net/deadline.h"

void deadline_queue_init(struct deadline_queue *queue, unsigned duration_ms, void (*expired)(struct deadline *))
{
    *queue = (struct deadline_queue){.duration_ns = duration_ms * NS_PER_MS, .expired = expired};
    queue->ends.previous = &queue->ends;
    queue->ends.next = &queue->ends;
}

void deadline_disarm(struct deadline *deadline)
{
    if (!deadline->queue)
        return;
    deadline->previous->next = deadline->next;
    deadline->next->previous = deadline->previous;
    deadline->queue = NULL;
}

void deadline_arm(struct deadline_queue *queue, struct deadline *deadline, int64_t now_ns)
{
    deadline_disarm(deadline);
    deadline->queue = queue;
    deadline->at_ns = now_ns + queue->duration_ns;
    deadline->next = &queue->ends;
    deadline->previous = queue->ends.previous;
    deadline->previous->next = deadline;
    queue->ends.previous = deadline;
}

int64_t deadline_queue_next_ns(const struct deadline_queue *queue)
{
    if (!queue->duration_ns || queue->ends.next == &queue->ends)
        return INT64_MAX;
    return queue->ends.next->at_ns;
}

void deadline_queue_expire(struct deadline_queue *queue, int64_t now_ns)
{
    while (deadline_queue_next_ns(queue) <= now_ns) {
        struct deadline *first = queue->ends.next;
        deadline_disarm(first);
        queue->expired(first);
    }
}
