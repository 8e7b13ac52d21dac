#include "config.h"

#include <stdio.h>
#include <string.h>

#include "app/database_settings.h"

enum { COMMAND_CONNECT_MS = 2000, COMMAND_WAIT_MS = 2000 };

static unsigned number(const struct settings *settings, enum option_id option)
{
    return (unsigned)settings_int(settings, option);
}

static void fill_in(const char *url, const char *service, char out[static DATABASE_URL_SIZE])
{
    static const char placeholder[] = "{service}";
    const char *at = strstr(url, placeholder);
    size_t used = 0;
    while (at && used < DATABASE_URL_SIZE) {
        used += (size_t)snprintf(out + used, DATABASE_URL_SIZE - used, "%.*s%s", (int)(at - url), url, service);
        url = at + strlen(placeholder);
        at = strstr(url, placeholder);
    }
    if (used < DATABASE_URL_SIZE)
        snprintf(out + used, DATABASE_URL_SIZE - used, "%s", url);
}

void database_settings(const struct settings *settings, const char *service, struct database_settings *ret)
{
    fill_in(settings_text(settings, OPTION_DB_URL), service, ret->url);
    fill_in(settings_text(settings, OPTION_DB_READ_URL), service, ret->read_url);
    ret->opts = (struct db_opts){
        .url = ret->url,
        .path = settings_text(settings, OPTION_DB_PATH),
        .batch_max = number(settings, OPTION_DB_BATCH_MAX),
        .queue_max = number(settings, OPTION_DB_QUEUE_MAX),
        .busy_timeout_ms = number(settings, OPTION_DB_BUSY_TIMEOUT_MS),
        .cache_kib = number(settings, OPTION_DB_CACHE_KIB),
        .wal_checkpoint_bytes = (size_t)settings_int(settings, OPTION_DB_WAL_CHECKPOINT_BYTES),
        .wal_max_bytes = (size_t)settings_int(settings, OPTION_DB_WAL_MAX_BYTES),
        .read_url = ret->read_url,
        .password_file = settings_text(settings, OPTION_DB_PASSWORD_FILE),
        .connections = number(settings, OPTION_DB_CONNECTIONS),
        .connect_timeout_ms = number(settings, OPTION_DB_CONNECT_TIMEOUT_MS),
        .start_timeout_ms = number(settings, OPTION_DB_START_TIMEOUT_MS),
        .statement_timeout_ms = number(settings, OPTION_DB_STATEMENT_TIMEOUT_MS),
    };
}

void database_settings_for_command(const struct settings *settings, const char *service, struct database_settings *ret)
{
    database_settings(settings, service, ret);
    ret->opts.batch_max = ret->opts.queue_max = ret->opts.connections = 1;
    ret->opts.connect_timeout_ms = COMMAND_CONNECT_MS;
    ret->opts.start_timeout_ms = COMMAND_WAIT_MS;
}

bool database_is_server(const struct settings *settings)
{
    return strncmp(settings_text(settings, OPTION_DB_URL), "postgres", strlen("postgres")) == 0;
}
