#include "config.h"

#include <string.h>

#include "app/cache_settings.h"

static unsigned number(const struct settings *settings, enum option_id option)
{
    return (unsigned)settings_int(settings, option);
}

bool cache_settings_has_remote(const struct settings *settings)
{
    return strcmp(settings_text(settings, OPTION_CACHE_DRIVER), "redis") == 0;
}

struct cache_remote_opts cache_settings_remote(const struct settings *settings)
{
    return (struct cache_remote_opts){
        .url = settings_text(settings, OPTION_CACHE_REDIS_URL),
        .user = settings_text(settings, OPTION_CACHE_REDIS_USER),
        .password_file = settings_text(settings, OPTION_CACHE_REDIS_PASSWORD_FILE),
        .ca_file = settings_text(settings, OPTION_CACHE_REDIS_CA_FILE),
        .certificate_file = settings_text(settings, OPTION_CACHE_REDIS_CERTIFICATE_FILE),
        .key_file = settings_text(settings, OPTION_CACHE_REDIS_KEY_FILE),
        .timeout_ms = number(settings, OPTION_CACHE_REDIS_TIMEOUT_MS),
        .connections_max = number(settings, OPTION_CACHE_REDIS_CONNECTIONS_MAX),
        .claim_ms = number(settings, OPTION_CACHE_REDIS_CLAIM_MS),
        .queue_max = number(settings, OPTION_CACHE_REDIS_QUEUE_MAX),
        .replicas = strcmp(settings_text(settings, OPTION_CACHE_REDIS_REPLICAS), "on") == 0,
        .breaker_failures = number(settings, OPTION_CACHE_REDIS_BREAKER_FAILURES),
        .breaker_open_ms = number(settings, OPTION_CACHE_REDIS_BREAKER_OPEN_MS),
    };
}
