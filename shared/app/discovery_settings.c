#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/discovery_settings.h"
#include "app/health.h"
#include "app/service.h"
#include "base/id.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_NET

#define USER_SERVICE "user"

static bool is_driver(const struct settings *settings, const char *driver)
{
    return strcmp(settings_text(settings, OPTION_DISCOVERY_DRIVER), driver) == 0;
}

struct discovery_opts discovery_settings_opts(const struct settings *settings)
{
    return (struct discovery_opts){
        .driver = settings_text(settings, OPTION_DISCOVERY_DRIVER),
        .endpoints = settings_text(settings, OPTION_DISCOVERY_ENDPOINTS),
        .servers = settings_text(settings, OPTION_DISCOVERY_SERVERS),
        .prefix = settings_text(settings, OPTION_DISCOVERY_PREFIX),
        .domain = settings_text(settings, OPTION_DISCOVERY_DOMAIN),
        .port = (unsigned)settings_int(settings, OPTION_DISCOVERY_PORT),
        .user = settings_text(settings, OPTION_DISCOVERY_USER),
        .secret_file = settings_text(settings, OPTION_DISCOVERY_SECRET_FILE),
        .ca_file = settings_text(settings, OPTION_DISCOVERY_CA_FILE),
        .certificate_file = settings_text(settings, OPTION_DISCOVERY_CERTIFICATE_FILE),
        .key_file = settings_text(settings, OPTION_DISCOVERY_KEY_FILE),
        .ttl_ms = (unsigned)settings_int(settings, OPTION_DISCOVERY_TTL_MS),
        .timeout_ms = (unsigned)settings_int(settings, OPTION_DISCOVERY_TIMEOUT_MS),
        .refresh_ms = (unsigned)settings_int(settings, OPTION_DISCOVERY_REFRESH_MS),
        .retry_first_ms = (unsigned)settings_int(settings, OPTION_DISCOVERY_RETRY_FIRST_MS),
        .retry_max_ms = (unsigned)settings_int(settings, OPTION_DISCOVERY_RETRY_MAX_MS),
        .empty_after_ms = (unsigned)settings_int(settings, OPTION_DISCOVERY_EMPTY_AFTER_MS),
        .critical_after_ms = (unsigned)settings_int(settings, OPTION_DISCOVERY_CRITICAL_AFTER_MS),
    };
}

/* ---- what the registry's threads have to tell ---- */

static void told(void *context, const char *watched, enum err err)
{
    (void)context;
    if (err && watched)
        log_event(LOG_WARNING, "the registry is away; the instances known last are used", LOG_STRING("of", watched),
                  LOG_ERR(err));
    else if (err)
        log_event(LOG_WARNING, "this instance cannot be registered", LOG_ERR(err));
    else if (watched)
        log_event(LOG_INFO, "the registry is back", LOG_STRING("of", watched));
    else
        log_event(LOG_INFO, "this instance is registered");
}

/* While it drains its registration is being withdrawn, or was. */
static enum discovery_health own_health(void *context, char *note, size_t note_size)
{
    static const enum discovery_health healths[] = {
        [HEALTH_OK] = DISCOVERY_PASSING, [HEALTH_DEGRADED] = DISCOVERY_WARNING, [HEALTH_FAILED] = DISCOVERY_CRITICAL};
    struct service *service = context;
    struct health_verdict verdict;
    if (atomic_load(&service->draining))
        return DISCOVERY_CRITICAL;
    health_verdict(service, &verdict);
    snprintf(note, note_size, "%s", verdict.note);
    return healths[verdict.state];
}

static void user_changed(void *context, struct instances *instances)
{
    struct service *service = context;
    enum err err = client_update(service->user_client, instances);
    if (err)
        log_event(LOG_ERROR, "the instances of a service cannot be followed", LOG_STRING("of", USER_SERVICE),
                  LOG_ERR(err));
    else
        log_event(LOG_INFO, "the instances of a service have changed", LOG_STRING("of", USER_SERVICE),
                  LOG_INT("instances", (int64_t)instances->count));
}

static void remembered(void *context, const char *watched, size_t count, int64_t age_s, enum err err)
{
    (void)context;
    if (err)
        log_event(LOG_WARNING, "what is known of instances is not kept from one start to the next",
                  LOG_STRING("of", watched), LOG_ERR(err));
    else
        log_event(LOG_INFO, "instances from before the start are used until the registry answers",
                  LOG_STRING("of", watched), LOG_INT("instances", (int64_t)count), LOG_INT("age_s", age_s));
}

/* ---- the part ---- */

/* Beside the database, where there is a file of it. */
static const char *remember_path(const struct settings *settings, char out[static PATH_MAX])
{
    const char *given = settings_text(settings, OPTION_DISCOVERY_REMEMBER_FILE);
    const char *database = settings_text(settings, OPTION_DB_PATH);
    if (*given || !*database)
        return given;
    snprintf(out, PATH_MAX, "%s-instances", database);
    return out;
}

enum err discovery_settings_start(struct service *service)
{
    struct discovery_opts opts = discovery_settings_opts(service->settings);
    char path[PATH_MAX];
    opts.remember_path = remember_path(service->settings, path);
    opts.remember_max_s = (unsigned)settings_int(service->settings, OPTION_DISCOVERY_REMEMBER_MAX_S);
    opts.told = told;
    opts.remembered = remembered;
    opts.health = own_health;
    opts.context = service;
    return discovery_open(&opts, &service->discovery);
}

void discovery_settings_stop(struct service *service)
{
    discovery_close(service->discovery);
}

void discovery_settings_apply(struct service *service, const struct settings *settings)
{
    enum err err = discovery_reload(service->discovery, settings_text(settings, OPTION_DISCOVERY_ENDPOINTS));
    if (err)
        log_event(LOG_ERROR, "discovery.endpoints stay as they were", LOG_ERR(err));
}

/* ---- the user service ---- */

static bool is_listed(struct text endpoints, struct text name)
{
    while (endpoints.at) {
        struct text word = text_split(&endpoints, ' ');
        if (word.length > name.length && text_starts(word, name) && word.at[name.length] == '=')
            return true;
    }
    return false;
}

bool discovery_settings_finds_user(const struct settings *settings)
{
    return !is_driver(settings, "static") ||
           is_listed(text_of(settings_text(settings, OPTION_DISCOVERY_ENDPOINTS)), TEXT(USER_SERVICE));
}

/* What was to be called without discovery is better than nobody. A URL with a path is no instance. */
static enum err begin_at_user_url(struct service *service)
{
    struct instance instance;
    struct instances *instances;
    if (instance_read(text_of(settings_text(service->settings, OPTION_USER_URL)), &instance))
        return ERR_NONE;
    enum err err = instances_new(&instance, 1, &instances);
    if (err)
        return err;
    err = client_update(service->user_client, instances);
    instances_unref(instances);
    return err;
}

enum err discovery_settings_follow_user(struct service *service)
{
    if (!discovery_settings_finds_user(service->settings))
        return ERR_NONE;
    enum err err = begin_at_user_url(service);
    return err ? err : discovery_watch(service->discovery, USER_SERVICE, user_changed, service, &service->user_watch);
}

void discovery_settings_leave_user(struct service *service)
{
    discovery_unwatch(service->user_watch);
    service->user_watch = NULL;
}

/* ---- this service ---- */

/* The instance that a word of discovery.advertise stands for, with what was left unsaid. */
static enum err read_own(const struct settings *settings, struct text word, const char *process_id,
                         struct instance *ret)
{
    struct instance own = {.port = 0};
    enum err err = instance_read(word, &own);
    if (err)
        return err;
    snprintf(own.id, sizeof own.id, "%s-%s", process_id, own.scheme);
    if (text_find(word, ';') < 0)
        own.weight = (unsigned)settings_int(settings, OPTION_DISCOVERY_WEIGHT);
    if (!*own.zone)
        snprintf(own.zone, sizeof own.zone, "%s", settings_text(settings, OPTION_DISCOVERY_ZONE));
    if (!*own.version)
        snprintf(own.version, sizeof own.version, "%s", PACKAGE_VERSION);
    *ret = own;
    return ERR_NONE;
}

static enum err read_all_own(const struct settings *settings, const char *process_id,
                             struct instance own[static DISCOVERY_REGISTERED_MAX], size_t *ret_count)
{
    struct text rest = text_of(settings_text(settings, OPTION_DISCOVERY_ADVERTISE));
    size_t count = 0;
    enum err err = ERR_NONE;
    while (rest.at && !err) {
        struct text word = text_split(&rest, ' ');
        if (word.length == 0)
            continue;
        if (count == DISCOVERY_REGISTERED_MAX)
            return err_because(ERR_CONFIG, "discovery.advertise has more than %d places", DISCOVERY_REGISTERED_MAX);
        err = read_own(settings, word, process_id, &own[count++]);
    }
    *ret_count = count;
    return err;
}

enum err discovery_settings_check_advertise(const struct settings *settings)
{
    struct instance own[DISCOVERY_REGISTERED_MAX];
    size_t count;
    return read_all_own(settings, "check", own, &count);
}

static enum err register_all(struct service *service)
{
    struct instance own[DISCOVERY_REGISTERED_MAX];
    char process_id[ID_SIZE];
    size_t count;
    id_new(process_id);
    enum err err = read_all_own(service->settings, process_id, own, &count);
    return err ? err : discovery_register(service->discovery, service->definition->name, own, count);
}

void discovery_settings_register(struct service *service)
{
    enum err err = register_all(service);
    if (err)
        log_event(LOG_ERROR, "this instance is not registered", LOG_ERR(err));
}

void discovery_settings_withdraw(struct service *service)
{
    unsigned withdraw_ms = (unsigned)settings_int(service->settings, OPTION_DISCOVERY_WITHDRAW_MS);
    enum err err = discovery_deregister(service->discovery, withdraw_ms);
    if (err)
        log_event(LOG_WARNING, "the registry has not confirmed that this instance ends; it will expire",
                  LOG_ERR(err));
}
