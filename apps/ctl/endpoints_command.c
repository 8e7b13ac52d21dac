/* What each service sees of the others: which instances there are, and why one is not called. */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/probe.h"
#include "base/json.h"
#include "conf/option.h"

enum { TIMEOUT_MS = 5000, TIMEOUT_MAX_MS = 3600000, ARENA_MAX_BYTES = 16 * 1024 * 1024, WHY_SIZE = 160, OK = 200 };

/* ---- GET /endpoints, read ---- */

struct seen_instance {
    struct text id, url, zone, version, state, why;
    int64_t weight, failures, outstanding, share_percent;
};

struct seen_service {
    struct text service, source, fault, url;
    bool known;
    struct json_array instances;
};

struct page {
    bool registered;
    struct json_array sees;
};

#define FIELD(struct_name, member, kind, ...)                                                                         \
    {.name = #member, .type = (kind), .offset = offsetof(struct struct_name, member), ##__VA_ARGS__}

static const struct json_field instance_fields[] = {
    FIELD(seen_instance, id, JSON_TEXT),          FIELD(seen_instance, url, JSON_TEXT),
    FIELD(seen_instance, zone, JSON_TEXT),        FIELD(seen_instance, version, JSON_TEXT),
    FIELD(seen_instance, state, JSON_TEXT),       FIELD(seen_instance, why, JSON_TEXT),
    FIELD(seen_instance, weight, JSON_INTEGER),   FIELD(seen_instance, failures, JSON_INTEGER),
    FIELD(seen_instance, outstanding, JSON_INTEGER), FIELD(seen_instance, share_percent, JSON_INTEGER),
    {.name = NULL},
};
static const struct json_field service_fields[] = {
    FIELD(seen_service, service, JSON_TEXT, .required = true), FIELD(seen_service, source, JSON_TEXT),
    FIELD(seen_service, fault, JSON_TEXT), FIELD(seen_service, url, JSON_TEXT),
    FIELD(seen_service, known, JSON_BOOLEAN),
    FIELD(seen_service, instances, JSON_ARRAY, .fields = instance_fields,
          .element_size = sizeof(struct seen_instance)),
    {.name = NULL},
};
static const struct json_field page_fields[] = {
    FIELD(page, registered, JSON_BOOLEAN),
    FIELD(page, sees, JSON_ARRAY, .required = true, .fields = service_fields,
          .element_size = sizeof(struct seen_service)),
    {.name = NULL},
};

static enum err read_page(struct text body, struct arena *arena, struct page *ret)
{
    struct json_document *document;
    struct json_faults faults;
    enum err err = json_parse(body, &document);
    if (!err) {
        err = json_read_lenient(document, page_fields, arena, ret, &faults);
        json_free(document);
    }
    return err && err != ERR_MEMORY ? err_because(ERR_PROTOCOL, "the answer is no list of endpoints") : err;
}

/* ---- shown ---- */

static void show_heading(void)
{
    printf("%-12s %-8s %-30s %-10s %-8s %6s %5s %5s  %s\n", "SERVICE", "SEES", "URL", "STATE", "ZONE", "WEIGHT",
           "SHARE", "CALLS", "WHY");
}

static const char *why(const struct seen_instance *instance, char out[static WHY_SIZE])
{
    if (instance->why.length > 0)
        snprintf(out, WHY_SIZE, "%.*s", TEXT_ARGS(instance->why));
    else if (instance->failures > 0)
        snprintf(out, WHY_SIZE, "has failed %" PRId64 " times in a row", instance->failures);
    else if (instance->share_percent < 100)
        snprintf(out, WHY_SIZE, "is new, and gets its part little by little");
    else
        snprintf(out, WHY_SIZE, "-");
    return out;
}

static void show_instance(const char *service, const struct seen_service *seen, const struct seen_instance *instance)
{
    char text[WHY_SIZE];
    printf("%-12s %-8.*s %-30.*s %-10.*s %-8.*s %6" PRId64 " %4" PRId64 "%% %5" PRId64 "  %s\n", service,
           TEXT_ARGS(seen->service), TEXT_ARGS(instance->url), TEXT_ARGS(instance->state),
           TEXT_ARGS(instance->zone.length ? instance->zone : TEXT("-")), instance->weight, instance->share_percent,
           instance->outstanding, why(instance, text));
}

/* How they are known, where that is more than that they are. */
static void show_source(const char *service, const struct seen_service *seen)
{
    const struct seen_instance *instances = seen->instances.elements;
    for (size_t i = 0; i < seen->instances.count; i++)
        show_instance(service, seen, &instances[i]);
    if (seen->url.length > 0)
        printf("%-12s %-8.*s %-30.*s %-10s\n", service, TEXT_ARGS(seen->service), TEXT_ARGS(seen->url), "in");
    else if (seen->instances.count == 0)
        printf("%-12s %-8.*s %-30s %-10s\n", service, TEXT_ARGS(seen->service), "-", "none");
    if (seen->fault.length > 0)
        printf("%-12s %-8.*s the registry is away (%.*s): these were known last\n", service, TEXT_ARGS(seen->service),
               TEXT_ARGS(seen->fault));
}

static bool show_page(const char *service, struct text body)
{
    struct page page = {.registered = false};
    struct arena arena;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = read_page(body, &arena, &page);
    const struct seen_service *sees = page.sees.elements;
    for (size_t i = 0; i < page.sees.count && !err; i++)
        show_source(service, &sees[i]);
    if (err)
        invocation_failure("endpoints: %s: %s", service, err_cause());
    arena_fini(&arena);
    return !err;
}

static bool show(const char *service, const char *address, unsigned timeout_ms)
{
    struct probe_answer answer;
    if (probe_get(address, "/endpoints", timeout_ms, &answer)) {
        invocation_failure("endpoints: %s (%s): %s", service, address, err_cause());
        return false;
    }
    bool shown = answer.status == OK && show_page(service, buf_text(&answer.body));
    if (answer.status != OK)
        invocation_failure("endpoints: %s (%s): the status is %d", service, address, answer.status);
    buf_fini(&answer.body);
    return shown;
}

/* ---- whom ---- */

static int show_given(const struct invocation *invocation, unsigned timeout_ms)
{
    bool all = true;
    const char *socket;
    for (size_t i = 0; (socket = invocation_value_at(invocation, "socket", i)) != NULL; i++) {
        const char *equals = strchr(socket, '=');
        char name[64];
        if (!equals || equals == socket || equals - socket >= (ptrdiff_t)sizeof name)
            return invocation_usage(invocation->command, "--socket %s: say it as NAME=ADDRESS", socket);
        snprintf(name, sizeof name, "%.*s", (int)(equals - socket), socket);
        if (i == 0)
            show_heading();
        all = show(name, equals + 1, timeout_ms) && all;
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int show_known(const struct invocation *invocation, unsigned timeout_ms)
{
    char address[PROBE_ADDRESS_SIZE];
    bool all = true;
    for (size_t i = 0; option_services[i]; i++) {
        struct settings *settings = load_settings(invocation, option_services[i]);
        if (!settings)
            return EXIT_FAILURE;
        if (i == 0)
            show_heading();
        all = show(option_services[i], probe_address(option_services[i], settings, address), timeout_ms) && all;
        settings_unref(settings);
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

int command_endpoints(const struct invocation *invocation)
{
    long timeout_ms;
    if (!invocation_number(invocation, "timeout-ms", 1, TIMEOUT_MAX_MS, TIMEOUT_MS, &timeout_ms))
        return EXIT_USAGE;
    return invocation_value(invocation, "socket") ? show_given(invocation, (unsigned)timeout_ms)
                                                  : show_known(invocation, (unsigned)timeout_ms);
}
