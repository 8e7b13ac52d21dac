/*
 * What a bus on RabbitMQ is told: its options, copied, and the parts of its URL.
 *
 *     amqp://user@host:5672,host2,[::1]:5673/vhost
 *
 * User and vhost are percent-encoded; without them they are "guest" and "/". The password is in a file, which is read
 * for each connection, and never in the URL. Immutable once made.
 */
#ifndef TANDEM_EVENTS_BUS_AMQP_SETTINGS_H
#define TANDEM_EVENTS_BUS_AMQP_SETTINGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "events/bus.h"

enum { BUS_AMQP_HOSTS_MAX = 16, BUS_AMQP_GROUPS_MAX = 32 };

struct bus_amqp_host {
    const char *name;
    int port;
};

struct bus_amqp_settings {
    struct bus_opts opts;                /* its strings are copies */
    struct arena arena;
    bool is_tls;
    const char *user, *vhost;
    struct bus_amqp_host hosts[BUS_AMQP_HOSTS_MAX];
    unsigned host_count;
    const char *groups[BUS_AMQP_GROUPS_MAX];
    unsigned group_count;
};

/** Reads address, what follows "amqp:" in the URL. ERR_CONFIG, with a cause that does not tell the URL; ERR_MEMORY.
 *  bus_amqp_settings_fini() in any case. */
enum err must_check bus_amqp_settings_init(struct bus_amqp_settings *settings, const struct bus_opts *opts,
                                           const char *address, bool is_tls);
void bus_amqp_settings_fini(struct bus_amqp_settings *settings);

#endif
