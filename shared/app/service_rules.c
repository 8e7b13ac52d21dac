#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/bus_settings.h"
#include "app/cache_settings.h"
#include "app/database_settings.h"
#include "app/discovery_settings.h"
#include "app/log_settings.h"
#include "app/service_rules.h"
#include "app/trace_export.h"
#include "conf/option.h"
#include "net/client.h"
#include "net/listen.h"

#define USER_SERVICE "user"

enum { RESOURCE_MAX_BYTES = 64 * 1024 };

/* ---- files ---- */

/* What only the service's own user may see is for the start to tell. */
static enum err check_file(const struct settings *settings, enum option_id option)
{
    const char *path = settings_text(settings, option);
    int fd = *path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
    enum err err = ERR_NONE;
    if (*path && fd < 0 && errno != EACCES)
        err = err_because(ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}

/* A certificate is of no use without its key, nor a key without its certificate. */
static enum err check_pair(const struct settings *settings, enum option_id option, enum option_id other)
{
    if (*settings_text(settings, option) && !*settings_text(settings, other))
        return err_because(ERR_CONFIG, "%s is set, which needs %s", option_table[option].path,
                           option_table[other].path);
    return check_file(settings, option);
}

static bool begins(const struct settings *settings, enum option_id option, const char *prefix)
{
    return text_starts(text_of(settings_text(settings, option)), text_of(prefix));
}

static enum err check_database_file(const struct settings *settings, enum option_id option, const char *service)
{
    (void)service;
    return database_is_server(settings) ? check_file(settings, option) : ERR_NONE;
}

static enum err check_amqp_file(const struct settings *settings, enum option_id option, const char *service)
{
    (void)service;
    return begins(settings, OPTION_BUS_URL, "amqp") ? check_file(settings, option) : ERR_NONE;
}

static enum err check_amqps_file(const struct settings *settings, enum option_id option, const char *service)
{
    (void)service;
    if (!begins(settings, OPTION_BUS_URL, "amqps:"))
        return ERR_NONE;
    if (option == OPTION_BUS_TLS_CERT_FILE)
        return check_pair(settings, option, OPTION_BUS_TLS_KEY_FILE);
    return check_file(settings, option);
}

static enum err check_registry_file(const struct settings *settings, enum option_id option, const char *service)
{
    (void)service;
    if (!begins(settings, OPTION_DISCOVERY_DRIVER, "etcd") && !begins(settings, OPTION_DISCOVERY_DRIVER, "consul"))
        return ERR_NONE;
    if (option == OPTION_DISCOVERY_CERTIFICATE_FILE)
        return check_pair(settings, option, OPTION_DISCOVERY_KEY_FILE);
    return check_file(settings, option);
}

static enum err check_rediss_file(const struct settings *settings, enum option_id option, const char *service)
{
    (void)service;
    if (!cache_settings_has_remote(settings) || !begins(settings, OPTION_CACHE_REDIS_URL, "rediss:"))
        return ERR_NONE;
    if (option == OPTION_CACHE_REDIS_CERTIFICATE_FILE)
        return check_pair(settings, option, OPTION_CACHE_REDIS_KEY_FILE);
    return check_file(settings, option);
}

/* ---- addresses ---- */

static enum err check_listen(const struct settings *settings, enum option_id option, const char *service)
{
    (void)service;
    return listen_check(settings_text(settings, option));
}

static enum err check_database(const struct settings *settings, enum option_id option, const char *service)
{
    struct database_settings given;
    database_settings(settings, service, &given);
    enum err err = db_check(&given.opts);
    if (err && !*settings_text(settings, option))
        return err_because(err, "%s: %s", option_table[OPTION_DB_PATH].path, err_cause());
    return err;
}

static enum err check_bus(const struct settings *settings, enum option_id option, const char *service)
{
    (void)option;
    (void)service;
    const struct bus_opts opts = bus_settings(settings);
    return bus_check(&opts);
}

static enum err check_discovery(const struct settings *settings, enum option_id option, const char *service)
{
    (void)option;
    (void)service;
    const struct discovery_opts opts = discovery_settings_opts(settings);
    struct discovery *discovery;
    enum err err = discovery_open(&opts, &discovery);   /* asks nobody */
    if (!err)
        discovery_close(discovery);
    return err;
}

static enum err check_advertise(const struct settings *settings, enum option_id option, const char *service)
{
    (void)option;
    (void)service;
    return discovery_settings_check_advertise(settings);
}

/* The user service calls nobody. */
static enum err check_user_url(const struct settings *settings, enum option_id option, const char *service)
{
    bool is_called = strcmp(service, USER_SERVICE) != 0 && !discovery_settings_finds_user(settings);
    return is_called ? client_check_url(settings_text(settings, option)) : ERR_NONE;
}

static enum err check_redis(const struct settings *settings, enum option_id option, const char *service)
{
    (void)service;
    return cache_settings_has_remote(settings) ? cache_remote_check(settings_text(settings, option)) : ERR_NONE;
}

/* ---- log and traces ---- */

static enum err check_log_sink(const struct settings *settings, enum option_id option, const char *service)
{
    (void)option;
    (void)service;
    return log_settings_check(settings);
}

static enum err check_resource(const struct settings *settings, enum option_id option, const char *service)
{
    struct otlp_resource resource;
    struct arena arena;
    (void)option;
    arena_init(&arena, RESOURCE_MAX_BYTES);
    enum err err = trace_export_resource(service, settings, &arena, &resource);
    arena_fini(&arena);
    return err;
}

static enum err check_headers_file(const struct settings *settings, enum option_id option, const char *service)
{
    (void)option;
    (void)service;
    return trace_export_check_headers(settings);
}

static const struct settings_rule rules[] = {
    {OPTION_SERVER_LISTEN, OPTIONS, check_listen},
    {OPTION_DB_URL, OPTIONS, check_database},
    {OPTION_DB_PASSWORD_FILE, OPTION_DB_URL, check_database_file},
    {OPTION_BUS_URL, OPTIONS, check_bus},
    {OPTION_BUS_PASSWORD_FILE, OPTION_BUS_URL, check_amqp_file},
    {OPTION_BUS_TLS_CA_FILE, OPTION_BUS_URL, check_amqps_file},
    {OPTION_BUS_TLS_CERT_FILE, OPTION_BUS_URL, check_amqps_file},
    {OPTION_BUS_TLS_KEY_FILE, OPTION_BUS_URL, check_amqps_file},
    {OPTION_DISCOVERY_DRIVER, OPTIONS, check_discovery},
    {OPTION_DISCOVERY_ADVERTISE, OPTIONS, check_advertise},
    {OPTION_DISCOVERY_CA_FILE, OPTION_DISCOVERY_DRIVER, check_registry_file},
    {OPTION_DISCOVERY_CERTIFICATE_FILE, OPTION_DISCOVERY_DRIVER, check_registry_file},
    {OPTION_DISCOVERY_KEY_FILE, OPTION_DISCOVERY_DRIVER, check_registry_file},
    {OPTION_USER_URL, OPTION_DISCOVERY_DRIVER, check_user_url},
    {OPTION_CACHE_REDIS_URL, OPTION_CACHE_DRIVER, check_redis},
    {OPTION_CACHE_REDIS_CA_FILE, OPTION_CACHE_REDIS_URL, check_rediss_file},
    {OPTION_CACHE_REDIS_CERTIFICATE_FILE, OPTION_CACHE_REDIS_URL, check_rediss_file},
    {OPTION_CACHE_REDIS_KEY_FILE, OPTION_CACHE_REDIS_URL, check_rediss_file},
    {OPTION_LOG_FILE, OPTION_LOG_SINK, check_log_sink},
    {OPTION_TRACE_RESOURCE_ATTRIBUTES, OPTIONS, check_resource},
    {OPTION_TRACE_OTLP_HEADERS_FILE, OPTIONS, check_headers_file},
};

const struct settings_rules service_rules = {rules, sizeof rules / sizeof rules[0]};
