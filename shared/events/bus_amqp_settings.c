#include "config.h"

#include "events/bus_amqp_settings.h"

enum { ARENA_BYTES = 64 * 1024, PORT = 5672, PORT_TLS = 5671, PORT_MAX = 65535 };

static enum err out_of_memory(void)
{
    return err_because(ERR_MEMORY, "bus.url: out of memory");
}

static const char *copy(struct bus_amqp_settings *settings, const char *string)
{
    return arena_string(&settings->arena, string ? text_of(string) : TEXT(""));
}

static enum err copy_opts(struct bus_amqp_settings *settings, const struct bus_opts *opts)
{
    settings->opts = *opts;
    const char **const strings[] = {
        &settings->opts.url,         &settings->opts.prefix,        &settings->opts.groups,
        &settings->opts.password_file, &settings->opts.tls_ca_file, &settings->opts.tls_cert_file,
        &settings->opts.tls_key_file,
    };
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        if (!(*strings[i] = copy(settings, *strings[i])))
            return out_of_memory();
    return ERR_NONE;
}

static enum err decode(struct bus_amqp_settings *settings, struct text part, const char *what, const char **ret)
{
    size_t length;
    char *out = arena_alloc(&settings->arena, part.length + 1);
    if (!out)
        return out_of_memory();
    if (text_percent_decode(part, false, out, &length))
        return err_because(ERR_CONFIG, "bus.url: its %s is not percent-encoded as it should be", what);
    out[length] = '\0';
    *ret = out;
    return ERR_NONE;
}

/* "host", "host:port", "[v6]:port" */
static enum err add_host(struct bus_amqp_settings *settings, struct text given)
{
    int64_t port = settings->is_tls ? PORT_TLS : PORT;
    struct text name = given, rest;
    if (settings->host_count == BUS_AMQP_HOSTS_MAX)
        return err_because(ERR_CONFIG, "bus.url: more than %d hosts", BUS_AMQP_HOSTS_MAX);
    if (text_starts(given, TEXT("["))) {
        rest = (struct text){given.at + 1, given.length - 1};
        name = text_split(&rest, ']');
        if (rest.length > 0 && rest.at[0] == ':')
            rest = (struct text){rest.at + 1, rest.length - 1};
        else
            rest = rest.length > 0 ? TEXT("?") : TEXT_NONE;
    } else {
        rest = given;
        name = text_split(&rest, ':');
    }
    if (name.length == 0 || (rest.at && (text_to_int(rest, &port) || port < 1 || port > PORT_MAX)))
        return err_because(ERR_CONFIG, "bus.url: \"%.*s\" is not a host, or host:port", TEXT_ARGS(given));
    struct bus_amqp_host *host = &settings->hosts[settings->host_count++];
    *host = (struct bus_amqp_host){arena_string(&settings->arena, name), (int)port};
    return host->name ? ERR_NONE : out_of_memory();
}

static enum err read_url(struct bus_amqp_settings *settings, struct text address)
{
    if (!text_starts(address, TEXT("//")))
        return err_because(ERR_CONFIG, "bus.url: write amqp://user@host:port,host:port/vhost");
    struct text vhost = {address.at + 2, address.length - 2}, hosts = text_split(&vhost, '/'), user = TEXT_NONE;
    if (text_find(hosts, '@') >= 0)
        user = text_split(&hosts, '@');
    if (text_find(user, ':') >= 0)
        return err_because(ERR_CONFIG, "bus.url: a password has no place there; write it into a file, and that into "
                                       "bus.password_file");
    enum err err = decode(settings, user.length ? user : TEXT("guest"), "user", &settings->user);
    if (!err)
        err = decode(settings, vhost.length ? vhost : TEXT("%2F"), "vhost", &settings->vhost);
    do {
        struct text host = text_split(&hosts, ',');
        if (!err)
            err = add_host(settings, host);
    } while (!err && hosts.at);
    return err;
}

/* "order, inventory" */
static enum err read_groups(struct bus_amqp_settings *settings)
{
    struct text rest = text_of(settings->opts.groups);
    while (rest.at) {
        struct text group = text_trim(text_split(&rest, ','));
        if (group.length == 0)
            continue;
        if (settings->group_count == BUS_AMQP_GROUPS_MAX)
            return err_because(ERR_CONFIG, "bus.groups: more than %d", BUS_AMQP_GROUPS_MAX);
        if (!(settings->groups[settings->group_count++] = arena_string(&settings->arena, group)))
            return out_of_memory();
    }
    return ERR_NONE;
}

enum err bus_amqp_settings_init(struct bus_amqp_settings *settings, const struct bus_opts *opts, const char *address,
                                bool is_tls)
{
    *settings = (struct bus_amqp_settings){.is_tls = is_tls};
    arena_init(&settings->arena, ARENA_BYTES);
    enum err err = copy_opts(settings, opts);
    if (!err)
        err = read_url(settings, text_of(address));
    if (!err)
        err = read_groups(settings);
    if (!err && *settings->opts.prefix == '\0')
        err = err_because(ERR_CONFIG, "bus.prefix must not be empty");
    if (!err && (opts->queues == 0 || opts->prefetch == 0))
        err = err_because(ERR_CONFIG, "bus.queues and bus.prefetch must be above 0");
    return err;
}

void bus_amqp_settings_fini(struct bus_amqp_settings *settings)
{
    arena_fini(&settings->arena);
}
