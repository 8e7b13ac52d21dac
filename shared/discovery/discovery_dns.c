/* dns: SRV records, or plain addresses, read again when their lifetime is over. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "discovery/discovery_private.h"
#include "discovery/dns_answer.h"

/* A lifetime of 0 means that it may not be kept; asking all the time would load who is asked. */
enum { PORT_DNS = 53, LIFETIME_LEAST_MS = 500, TRIES = 2 };

struct dns {
    const struct discovery_opts *opts;
    const char *service;
    struct waiter *waiter;
    struct __res_state resolver;
    int64_t until_ns;                  /* lifetime of what was read; 0: nothing was */
    uint8_t message[DNS_MESSAGE_SIZE];
    struct dns_record services[DNS_RECORDS_MAX], addresses[DNS_RECORDS_MAX];
};

/* ---- options ---- */

/* "127.0.0.1:5353", "[::1]:53", "127.0.0.1", "::1": an address's colons are told from the port's by the brackets. */
static struct text address_of(struct text server, struct text *ret_port)
{
    struct text rest = server, address = text_split(&rest, ':');
    *ret_port = rest;
    if (server.length > 0 && server.at[0] == '[') {
        rest = (struct text){server.at + 1, server.length - 1};
        address = text_split(&rest, ']');
        bool has_port = rest.at && rest.length > 0 && rest.at[0] == ':';
        *ret_port = has_port ? (struct text){rest.at + 1, rest.length - 1} : TEXT_NONE;
        return rest.at && (has_port || rest.length == 0) ? address : TEXT("");
    }
    if (rest.at && text_find(rest, ':') >= 0) {
        *ret_port = TEXT_NONE;
        return server;
    }
    return address;
}

union dns_server {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static enum err read_server(const char *server, union dns_server *ret)
{
    struct text port, address = address_of(text_of(server), &port);
    char string[INET6_ADDRSTRLEN];
    int64_t number = PORT_DNS;
    snprintf(string, sizeof string, "%.*s", TEXT_ARGS(address));
    union dns_server read = {.v6 = {.sin6_family = AF_UNSPEC}};
    if (address.length < sizeof string && inet_pton(AF_INET6, string, &read.v6.sin6_addr) == 1)
        read.v6.sin6_family = AF_INET6;
    else if (address.length < sizeof string && inet_pton(AF_INET, string, &read.v4.sin_addr) == 1)
        read.v4.sin_family = AF_INET;
    if (read.v4.sin_family == AF_UNSPEC ||
        (port.at && (text_to_int(port, &number) || number < 1 || number > UINT16_MAX)))
        return err_because(ERR_CONFIG, "discovery.servers: \"%s\" is no ADDRESS:PORT or [ADDRESS]:PORT of a DNS server",
                           server);
    in_port_t *place = read.v4.sin_family == AF_INET ? &read.v4.sin_port : &read.v6.sin6_port;
    *place = htons((uint16_t)number);
    *ret = read;
    return ERR_NONE;
}

static enum err dns_open(const struct discovery_opts *opts, void **ret)
{
    union dns_server server;
    if (!*opts->domain || !text_is_visible_ascii(text_of(opts->domain)))
        return err_because(ERR_CONFIG, "discovery.domain says nothing; dns needs it");
    enum err err = *opts->servers ? read_server(opts->servers, &server) : ERR_NONE;
    if (!err)
        *ret = (void *)(uintptr_t)opts;
    return err;
}

static void dns_close(void *state)
{
    (void)state;
}

/* ---- life ---- */

/* An IPv6 server stands in the resolver's extension, which frees it, and none in its list: that is how the C library
 * has those of resolv.conf. */
static enum err use_server(struct __res_state *resolver, const union dns_server *server)
{
    resolver->nscount = 1;
    if (server->v4.sin_family == AF_INET) {
        resolver->nsaddr_list[0] = server->v4;
        return ERR_NONE;
    }
    struct sockaddr_in6 **place = &resolver->_u._ext.nsaddrs[0];
    if (!*place && !(*place = malloc(sizeof **place)))
        return err_because(ERR_MEMORY, "no memory to ask the DNS");
    **place = server->v6;
    resolver->nsaddr_list[0].sin_family = AF_UNSPEC;
    return ERR_NONE;
}

static enum err prepare_resolver(struct dns *dns)
{
    unsigned timeout_s = (dns->opts->timeout_ms + 999) / 1000;
    union dns_server server;
    if (res_ninit(&dns->resolver) < 0)
        return err_because(ERR_IO, "the system's resolver cannot be used: %s", strerror(errno));
    dns->resolver.retrans = (int)timeout_s;
    dns->resolver.retry = TRIES;
    if (!*dns->opts->servers || read_server(dns->opts->servers, &server) != ERR_NONE)
        return ERR_NONE;
    enum err err = use_server(&dns->resolver, &server);
    if (err)
        res_nclose(&dns->resolver);
    return err;
}

static enum err follower_new(void *state, const char *service, struct waiter *waiter, void **ret)
{
    struct dns *dns = calloc(1, sizeof *dns);
    if (!dns)
        return err_because(ERR_MEMORY, "no memory to follow %s", service);
    dns->opts = state;
    dns->service = service;
    dns->waiter = waiter;
    enum err err = prepare_resolver(dns);
    if (err)
        free(dns);
    else
        *ret = dns;
    return err;
}

static void follower_free(void *context)
{
    struct dns *dns = context;
    res_nclose(&dns->resolver);
    free(dns);
}

/* ---- reading ---- */

static enum err resolver_fault(struct dns *dns, const char *name)
{
    int fault = dns->resolver.res_h_errno;
    if (fault == HOST_NOT_FOUND || fault == NO_DATA)
        return err_because(ERR_NOT_FOUND, "%s: there are no such records", name);
    return err_because(ERR_UNAVAILABLE, "%s: %s", name, hstrerror(fault));
}

/* No such name, or none of that type, is no error: then there are no records. */
static enum err query(struct dns *dns, const char *name, enum dns_type type, struct dns_record *records,
                      size_t *ret_count)
{
    size_t count = 0;
    if (waiter_is_stopped(dns->waiter))
        return ERR_CLOSED;
    int length = res_nquery(&dns->resolver, name, ns_c_in, (int)type, dns->message, sizeof dns->message);
    enum err err = length < 0 ? resolver_fault(dns, name)
                              : dns_read(dns->message, (size_t)length, type, records, &count);
    if (err && err != ERR_NOT_FOUND)
        return err;
    for (size_t i = 0; i < count; i++) {
        int64_t until_ns = clock_now_ns() + records[i].lifetime_s * NS_PER_S;
        dns->until_ns = until_ns < dns->until_ns ? until_ns : dns->until_ns;
    }
    *ret_count = count;
    return ERR_NONE;
}

/* Both kinds of addresses that a host has; the instance is complete but for its address. */
static enum err add_host(struct dns *dns, const char *host, const struct instance *instance,
                         struct discovery_found *found)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    char url[INSTANCE_URL_SIZE];
    enum err err = ERR_NONE;
    for (size_t t = 0; t < sizeof types / sizeof types[0] && !err; t++) {
        size_t count = 0;
        err = query(dns, host, types[t], dns->addresses, &count);
        for (size_t i = 0; i < count && !err; i++) {
            struct instance one = *instance;
            snprintf(one.address, sizeof one.address, "%s", dns->addresses[i].address);
            snprintf(one.id, sizeof one.id, "%.*s", INSTANCE_ID_SIZE - 1, instance_url(&one, url));
            discovery_found_add(found, &one);
        }
    }
    return err;
}

static unsigned best_priority(const struct dns_record *records, size_t count)
{
    unsigned best = UINT16_MAX;
    for (size_t i = 0; i < count; i++)
        best = records[i].priority < best ? records[i].priority : best;
    return best;
}

/* Those of the best priority only: others are for when these are not there, which the DNS does not tell. A weight of 0,
 * that is "very small", is the least there is. */
static enum err add_services(struct dns *dns, const char *scheme, struct discovery_found *found)
{
    char name[DNS_NAME_SIZE];
    size_t count = 0;
    snprintf(name, sizeof name, "_%s._tcp.%.63s.%.180s", scheme, dns->service, dns->opts->domain);
    enum err err = query(dns, name, DNS_SRV, dns->services, &count);
    unsigned best = best_priority(dns->services, count);
    for (size_t i = 0; i < count && !err; i++) {
        const struct dns_record *record = &dns->services[i];
        struct instance instance = {.port = record->port};
        snprintf(instance.scheme, sizeof instance.scheme, "%s", scheme);
        instance.weight = record->weight == 0 ? 1
                        : record->weight > INSTANCE_WEIGHT_MAX ? INSTANCE_WEIGHT_MAX : record->weight;
        if (record->priority == best)
            err = add_host(dns, record->target, &instance, found);
    }
    return err;
}

static enum err add_plain(struct dns *dns, struct discovery_found *found)
{
    struct instance instance = {.scheme = "http", .port = dns->opts->port, .weight = INSTANCE_WEIGHT};
    char name[DNS_NAME_SIZE];
    snprintf(name, sizeof name, "%.63s.%.190s", dns->service, dns->opts->domain);
    return add_host(dns, name, &instance, found);
}

static enum err read_all(struct dns *dns, struct discovery_found *found)
{
    static const char *const schemes[] = {"http", "https", "fcgi"};
    enum err err = ERR_NONE;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0] && !err; i++)
        err = add_services(dns, schemes[i], found);
    if (!err && found->count == 0 && dns->opts->port)
        err = add_plain(dns, found);
    return err;
}

static enum err follow(void *context, struct discovery_found *found)
{
    struct dns *dns = context;
    int64_t now_ns = clock_now_ns();
    if (dns->until_ns > now_ns)
        waiter_wait(dns->waiter, (dns->until_ns - now_ns) / NS_PER_MS + 1);
    if (waiter_is_stopped(dns->waiter))
        return ERR_CLOSED;
    now_ns = clock_now_ns();
    dns->until_ns = now_ns + dns->opts->refresh_ms * NS_PER_MS;
    enum err err = read_all(dns, found);
    if (err)
        dns->until_ns = 0;
    else if (dns->until_ns < now_ns + LIFETIME_LEAST_MS * NS_PER_MS)
        dns->until_ns = now_ns + LIFETIME_LEAST_MS * NS_PER_MS;
    return err;
}

const struct discovery_driver discovery_dns = {
    .name = "dns",
    .open = dns_open,
    .close = dns_close,
    .follower_new = follower_new,
    .follow = follow,
    .follower_free = follower_free,
};
