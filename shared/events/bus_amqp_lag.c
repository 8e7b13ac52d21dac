/* How much groups have yet to do: what waits in their queues, and what their subscriptions here hold. */
#include "config.h"

#include <string.h>

#include "events/bus_amqp.h"
#include "events/bus_amqp_topology.h"

/* What waits in a queue; nothing in one that is not there. */
static enum err add_count(struct bus_amqp *bus, const char *queue, uint64_t *total)
{
    uint64_t count = 0;
    pthread_mutex_lock(&bus->asker.lock);
    enum err err = bus_amqp_link_open(&bus->asker);
    if (!err)
        err = bus_amqp_count(&bus->asker, queue, &count);
    pthread_mutex_unlock(&bus->asker.lock);
    if (err && err != ERR_NOT_FOUND)
        return err;
    *total += err ? 0 : count;
    return ERR_NONE;
}

static enum err add_group(struct bus_amqp *bus, const char *group, uint64_t *total)
{
    char queue[BUS_AMQP_NAME_SIZE];
    enum err err = ERR_NONE;
    for (unsigned i = 0; !err && i <= bus->settings.opts.queues; i++)
        err = add_count(bus, bus_amqp_queue_name(&bus->settings, group, i, queue), total);
    return err;
}

enum err bus_amqp_lag(struct bus_subscription *base, struct bus_lag *ret)
{
    struct bus_amqp_subscription *subscription = (struct bus_amqp_subscription *)base;
    struct bus_lag lag = bus_amqp_held_lag(subscription);
    enum err err = subscription->group ? add_group(subscription->bus, subscription->group, &lag.events)
                                       : add_count(subscription->bus, subscription->watch, &lag.events);
    if (!err)
        *ret = lag;
    return err;
}

/* ---- all groups: asked for by the keeper, so that nobody who wants to know waits for the broker ---- */

enum err bus_amqp_know_group(struct bus_amqp *bus, const char *name)
{
    unsigned at = 0;
    while (at < bus->group_count && strcmp(bus->groups[at].name, name) < 0)
        at++;
    if ((at < bus->group_count && strcmp(bus->groups[at].name, name) == 0) || bus->group_count == BUS_AMQP_GROUPS_MAX)
        return ERR_NONE;
    const char *copy = arena_string(&bus->names, text_of(name));
    if (!copy)
        return err_because(ERR_MEMORY, "no memory for the name of a group");
    memmove(&bus->groups[at + 1], &bus->groups[at], (bus->group_count - at) * sizeof bus->groups[0]);
    bus->groups[at] = (struct bus_amqp_group){copy, 0};
    bus->group_count++;
    return ERR_NONE;
}

void bus_amqp_lag_keep(struct bus_amqp *bus)
{
    struct bus_amqp_group groups[BUS_AMQP_GROUPS_MAX];
    enum err err = ERR_NONE;
    pthread_mutex_lock(&bus->lock);
    unsigned count = bus->group_count;
    memcpy(groups, bus->groups, count * sizeof groups[0]);
    pthread_mutex_unlock(&bus->lock);
    for (unsigned i = 0; !err && i < count; i++) {
        groups[i].waiting = 0;
        err = add_group(bus, groups[i].name, &groups[i].waiting);
    }
    pthread_mutex_lock(&bus->lock);
    for (unsigned i = 0, at = 0; !err && i < count; at++) {   /* others may have come in between */
        if (bus->groups[at].name != groups[i].name)
            continue;
        bus->groups[at].waiting = groups[i++].waiting;
    }
    bus_amqp_note(&bus->asking, err);
    pthread_mutex_unlock(&bus->lock);
}

/* What the subscriptions to a group hold. Under bus->lock. */
static struct bus_lag held_of(struct bus_amqp *bus, const char *group)
{
    struct bus_lag total = {0, 0};
    for (struct bus_amqp_subscription *each = bus->subscriptions; each; each = each->next) {
        if (!each->group || strcmp(each->group, group) != 0)
            continue;
        struct bus_lag held = bus_amqp_held_lag(each);
        total.events += held.events;
        if (held.oldest_us && (!total.oldest_us || held.oldest_us < total.oldest_us))
            total.oldest_us = held.oldest_us;
    }
    return total;
}

enum err bus_amqp_groups(struct bus *base, enum err (*take)(const struct bus_group *group, void *context),
                         void *context)
{
    struct bus_amqp *bus = (struct bus_amqp *)base;
    struct bus_group groups[BUS_AMQP_GROUPS_MAX];
    if (bus->settings.opts.only_looks)
        bus_amqp_lag_keep(bus);
    pthread_mutex_lock(&bus->lock);
    unsigned count = bus->group_count;
    enum err err = bus_amqp_trouble(&bus->asking);
    for (unsigned i = 0; i < count; i++) {
        groups[i] = (struct bus_group){.name = text_of(bus->groups[i].name), .types = TEXT_NONE, .offset = -1,
                                       .lag = held_of(bus, bus->groups[i].name)};
        groups[i].lag.events += bus->groups[i].waiting;
    }
    pthread_mutex_unlock(&bus->lock);
    for (unsigned i = 0; !err && i < count; i++)
        err = take(&groups[i], context);
    return err;
}
