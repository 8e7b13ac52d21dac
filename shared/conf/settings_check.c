#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/fault.h"
#include "conf/secret_file.h"
#include "conf/settings_private.h"
#include "telemetry/otlp_exporter.h"
#include "telemetry/trace_sampler.h"

/* "FILE:3: " of a value from a file, "TANDEM_LOG_LEVEL: ", "--set: "; nothing for a default. */
static void begin_fault(const struct settings_value *value, struct buf *faults)
{
    if (value->line)
        buf_addf(faults, "%s:%u: ", value->origin, value->line);
    else if (value->origin)
        buf_addf(faults, "%s: ", value->origin);
}

/* Told where somebody said something: at the higher layer of the two. */
static void check_relation(const struct settings *settings, const struct option_relation *relation, struct buf *faults)
{
    const struct settings_value *less = &settings->values[relation->less];
    const struct settings_value *more = &settings->values[relation->more];
    if (less->value.integer <= more->value.integer)
        return;
    begin_fault(less->rank >= more->rank ? less : more, faults);
    buf_addf(faults, "%s is %" PRId64 " (", option_table[relation->less].path, less->value.integer);
    settings_print_origin(less, faults);
    buf_addf(faults, "), more than %s, which is %" PRId64 " (", option_table[relation->more].path,
             more->value.integer);
    settings_print_origin(more, faults);
    buf_add_string(faults, ")\n");
}

static void check_secret(const struct settings *settings, size_t at, struct buf *faults)
{
    const struct settings_value *value = &settings->values[at];
    if (!option_table[at].secret || secret_file_check_path(value->value.text) == ERR_NONE)
        return;
    begin_fault(value, faults);
    buf_addf(faults, "%s: %s\n", option_table[at].path, err_cause());
}

static void check_ratio(const struct settings *settings, enum option_id option, struct buf *faults)
{
    const struct settings_value *value = &settings->values[option];
    double ratio;
    if (trace_ratio_of(text_of(value->value.text), &ratio) == ERR_NONE)
        return;
    begin_fault(value, faults);
    buf_addf(faults, "%s is \"%.64s\": %s\n", option_table[option].path, value->value.text, err_cause());
}

static void check_by(const struct settings *settings, enum option_id option, enum err (*check)(const char *value),
                     struct buf *faults)
{
    const struct settings_value *value = &settings->values[option];
    if (!*value->value.text || check(value->value.text) == ERR_NONE)
        return;
    begin_fault(value, faults);
    buf_addf(faults, "%s: %s\n", option_table[option].path, err_cause());
}

static enum err check_headers(const char *value)
{
    return otlp_exporter_check_headers(secret_of(text_of(value)), OTLP_HEADERS_LIST);
}

/* A password there would be printed with the settings: everything up to '@' that has a ':', or a parameter. */
static enum err check_database_url(const char *value)
{
    const char *authority = strstr(value, "://");
    const char *rest = authority ? authority + 3 : value;
    size_t length = strcspn(rest, "/?");
    const char *at = memchr(rest, '@', length), *colon = at ? memchr(rest, ':', (size_t)(at - rest)) : NULL;
    if (colon || strstr(value, "password="))
        return err_because(ERR_CONFIG, "a URL holds no password; put it into a file, %s",
                           option_table[OPTION_DB_PASSWORD_FILE].path);
    return ERR_NONE;
}

/* In production only who says so twice breaks something on purpose. */
static void check_faults(const struct settings *settings, const char *environment, struct buf *faults)
{
    const struct settings_value *points = &settings->values[OPTION_FAULT_POINTS];
    const struct settings_value *force = &settings->values[OPTION_FAULT_FORCE];
    bool is_prod = environment && strcmp(environment, "prod") == 0, forced = strcmp(force->value.text, "on") == 0;
    const char *path = option_table[OPTION_FAULT_POINTS].path;
    if (fault_check(text_of(points->value.text)) != ERR_NONE) {
        begin_fault(points, faults);
        buf_addf(faults, "%s: %s\n", path, err_cause());
    } else if (*points->value.text && is_prod && !forced) {
        begin_fault(points, faults);
        buf_addf(faults, "%s is set and TANDEM_ENV is prod; with %s = \"on\" it is done all the same\n", path,
                 option_table[OPTION_FAULT_FORCE].path);
    }
}

void settings_check(const struct settings *settings, char *const *environment, struct buf *faults)
{
    for (size_t i = 0; i < option_relation_count; i++)
        check_relation(settings, &option_relations[i], faults);
    for (size_t i = 0; i < option_count; i++)
        check_secret(settings, i, faults);
    check_ratio(settings, OPTION_TRACE_RATIO, faults);
    check_by(settings, OPTION_TRACE_OTLP_ENDPOINT, otlp_exporter_check_endpoint, faults);
    check_by(settings, OPTION_TRACE_OTLP_TRACES_ENDPOINT, otlp_exporter_check_endpoint, faults);
    check_by(settings, OPTION_TRACE_OTLP_HEADERS, check_headers, faults);
    check_by(settings, OPTION_DB_URL, check_database_url, faults);
    check_by(settings, OPTION_DB_READ_URL, check_database_url, faults);
    check_faults(settings, source_environment(environment), faults);
}

/* ---- rules ---- */

/* The option that a cause begins with, as many do: "bus.prefix is to be …"; else the rule's. */
static enum option_id option_of(const struct settings_rule *rule)
{
    struct text word = {err_cause(), strspn(err_cause(), "abcdefghijklmnopqrstuvwxyz0123456789_.")};
    ptrdiff_t at = option_find(word);
    return at < 0 ? rule->option : (enum option_id)at;
}

/* Where somebody has said what makes it wrong: the option itself, or what wants it, or what the rule is about. */
static const struct settings_value *place_of(const struct settings *settings, const struct settings_rule *rule,
                                             enum option_id option)
{
    const struct settings_value *values = settings->values, *place = &values[option];
    if (rule->wanted_by != OPTIONS && values[rule->wanted_by].rank > place->rank)
        place = &values[rule->wanted_by];
    return place->rank == RANK_DEFAULT ? &values[rule->option] : place;
}

static void check_rule(const struct settings *settings, const struct settings_rule *rule, const char *service,
                       bool elsewhere, struct buf *faults)
{
    enum err err = rule->check(settings, rule->option, service);
    if (!err || (err == ERR_IO && elsewhere))
        return;
    enum option_id option = option_of(rule);
    const char *path = option_table[option].path;
    begin_fault(place_of(settings, rule, option), faults);
    if (!text_starts(text_of(err_cause()), text_of(path)))
        buf_addf(faults, "%s: ", path);
    buf_addf(faults, "%s\n", err_cause());
}

void settings_check_rules(const struct settings *settings, const struct settings_opts *opts, struct buf *faults)
{
    for (size_t i = 0; i < SETTINGS_RULES_MAX; i++)
        for (size_t j = 0; j < opts->rules[i].count; j++)
            check_rule(settings, &opts->rules[i].list[j], opts->service, opts->elsewhere, faults);
}
