#include "config.h"

#include "app/bus_settings.h"

static unsigned number(const struct settings *settings, enum option_id option)
{
    return (unsigned)settings_int(settings, option);
}

struct bus_opts bus_settings(const struct settings *settings)
{
    return (struct bus_opts){
        .url = settings_text(settings, OPTION_BUS_URL),
        .retention_s = number(settings, OPTION_BUS_RETENTION_S),
        .max_bytes = (size_t)settings_int(settings, OPTION_BUS_MAX_BYTES),
        .busy_timeout_ms = number(settings, OPTION_BUS_BUSY_TIMEOUT_MS),
        .prefix = settings_text(settings, OPTION_BUS_PREFIX),
        .groups = settings_text(settings, OPTION_BUS_GROUPS),
        .password_file = settings_text(settings, OPTION_BUS_PASSWORD_FILE),
        .tls_ca_file = settings_text(settings, OPTION_BUS_TLS_CA_FILE),
        .tls_cert_file = settings_text(settings, OPTION_BUS_TLS_CERT_FILE),
        .tls_key_file = settings_text(settings, OPTION_BUS_TLS_KEY_FILE),
        .queues = number(settings, OPTION_BUS_QUEUES),
        .prefetch = number(settings, OPTION_BUS_PREFETCH),
        .delivery_limit = number(settings, OPTION_BUS_DELIVERY_LIMIT),
        .heartbeat_s = number(settings, OPTION_BUS_HEARTBEAT_S),
        .connect_timeout_ms = number(settings, OPTION_BUS_CONNECT_TIMEOUT_MS),
        .publish_timeout_ms = number(settings, OPTION_BUS_PUBLISH_TIMEOUT_MS),
        .replication = number(settings, OPTION_BUS_REPLICATION),
        .kafka_properties_file = settings_text(settings, OPTION_BUS_KAFKA_PROPERTIES_FILE),
    };
}
