#include "config.h"

#include <inttypes.h>

#include "base/buf.h"
#include "conf/option.h"
#include "conf/option_alias.h"

/* What a span takes in the queue, about, for those who count spans. */
enum { SPAN_BYTES = 1024, ALLOWED_MAX_BYTES = 128 };

#define SAME(variable, option) {variable, option, NULL, 0, false},
#define WORDS(variable, option, words) {variable, option, words, 0, false},
#define WEAK(variable, option, words) {variable, option, words, 0, true},
#define TIMES(variable, option, multiplier) {variable, option, NULL, multiplier, false},

/* The general names of a setting stand before those of traces, which win, as OpenTelemetry has it. */
const struct option_alias option_aliases[] = {
    WORDS("ENABLE_TRACING", OPTION_TRACE_ENABLED, "true=on|false=off")
    WORDS("OTEL_SDK_DISABLED", OPTION_TRACE_ENABLED, "true=off|false")
    SAME("OTEL_TRACES_SAMPLER", OPTION_TRACE_SAMPLER)
    SAME("OTEL_TRACES_SAMPLER_ARG", OPTION_TRACE_RATIO)
    SAME("OTEL_SERVICE_NAME", OPTION_TRACE_SERVICE_NAME)
    SAME("OTEL_RESOURCE_ATTRIBUTES", OPTION_TRACE_RESOURCE_ATTRIBUTES)
    WEAK("OTEL_TRACES_EXPORTER", OPTION_TRACE_OTLP_ENDPOINT, "otlp=http://localhost:4318|none")
    SAME("OTEL_EXPORTER_OTLP_ENDPOINT", OPTION_TRACE_OTLP_ENDPOINT)
    SAME("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", OPTION_TRACE_OTLP_TRACES_ENDPOINT)
    WORDS("OTEL_TRACES_EXPORTER", OPTION_TRACE_OTLP_ENDPOINT, "none=|otlp")
    WORDS("OTEL_TRACES_EXPORTER", OPTION_TRACE_OTLP_TRACES_ENDPOINT, "none=|otlp")
    SAME("OTEL_EXPORTER_OTLP_PROTOCOL", OPTION_TRACE_OTLP_PROTOCOL)
    SAME("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", OPTION_TRACE_OTLP_PROTOCOL)
    SAME("OTEL_EXPORTER_OTLP_COMPRESSION", OPTION_TRACE_OTLP_COMPRESSION)
    SAME("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", OPTION_TRACE_OTLP_COMPRESSION)
    SAME("OTEL_EXPORTER_OTLP_HEADERS", OPTION_TRACE_OTLP_HEADERS)
    SAME("OTEL_EXPORTER_OTLP_TRACES_HEADERS", OPTION_TRACE_OTLP_HEADERS)
    SAME("OTEL_EXPORTER_OTLP_TIMEOUT", OPTION_TRACE_OTLP_TIMEOUT_MS)
    SAME("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", OPTION_TRACE_OTLP_TIMEOUT_MS)
    TIMES("OTEL_BSP_MAX_QUEUE_SIZE", OPTION_TRACE_OTLP_QUEUE_MAX_BYTES, SPAN_BYTES)
    SAME("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", OPTION_TRACE_OTLP_BATCH_MAX)
    SAME("OTEL_BSP_SCHEDULE_DELAY", OPTION_TRACE_OTLP_BATCH_DELAY_MS)
};
const size_t option_alias_count = sizeof option_aliases / sizeof option_aliases[0];

/* "true|false" of "true=on|false=off" */
static enum err not_a_word(const struct option_alias *alias, struct text given)
{
    struct buf buf;
    buf_init(&buf, ALLOWED_MAX_BYTES);
    struct text words = text_of(alias->words);
    while (words.at) {
        struct text rest = text_split(&words, '|');
        struct text word = text_split(&rest, '=');
        buf_addf(&buf, "%s%.*s", buf.length ? "|" : "", TEXT_ARGS(word));
    }
    enum err err = err_because(ERR_CONFIG, "it is \"%.*s\", not one of %s", TEXT_ARGS(given), buf_string(&buf));
    buf_fini(&buf);
    return err;
}

static enum err read_word(const struct option_alias *alias, struct text given, struct text *ret)
{
    struct text words = text_of(alias->words);
    while (words.at) {
        struct text value = text_split(&words, '|');
        if (text_equal_nocase(text_split(&value, '='), given)) {
            *ret = value;
            return ERR_NONE;
        }
    }
    return not_a_word(alias, given);
}

/* At least what the option takes at least: who counts otherwise cannot know that. */
static enum err read_count(const struct option_alias *alias, struct text given, struct arena *arena, struct text *ret)
{
    const struct option *option = &option_table[alias->option];
    int64_t count = 0;
    if (text_to_int(given, &count) != ERR_NONE || count < 1)
        return err_because(ERR_CONFIG, "it is \"%.*s\", not a positive integer", TEXT_ARGS(given));
    int64_t value = count > option->max / alias->multiplier ? option->max : count * alias->multiplier;
    const char *text = arena_printf(arena, "%" PRId64, value < option->min ? option->min : value);
    *ret = text_of(text);
    return text ? ERR_NONE : err_because(ERR_MEMORY, "no memory for %s", alias->variable);
}

enum err option_alias_read(const struct option_alias *alias, struct text given, struct arena *arena, struct text *ret)
{
    given = text_trim(given);
    *ret = TEXT_NONE;
    if (given.length == 0)
        return ERR_NONE;
    if (alias->words)
        return read_word(alias, given, ret);
    if (alias->multiplier > 0)
        return read_count(alias, given, arena, ret);
    *ret = given;
    return ERR_NONE;
}
