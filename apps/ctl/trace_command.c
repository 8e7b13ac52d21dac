/* Traces: a table of the recent ones, and one as a waterfall, from what all services have kept. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/probe.h"
#include "apps/ctl/trace_draw.h"
#include "base/clock.h"
#include "conf/option.h"
#include "telemetry/trace.h"

enum {
    TIMEOUT_MS = 5000, TIMEOUT_MAX_MS = 3600000, LIMIT = 20, LIMIT_MAX = 200, SERVICES_MAX = 64,
    ID_MAX = 128, PATH_SIZE = 256, ARENA_MAX_BYTES = 64 * 1024 * 1024, NOT_FOUND = 404,
};

struct service {
    struct text name;
    const char *address;
};

/* What is asked, and of whom. */
struct inquiry {
    struct service services[SERVICES_MAX];
    size_t service_count;
    unsigned timeout_ms;
    struct arena arena;
    size_t answered;
};

/* ---- whom ---- */

/* EXIT_SUCCESS, or what to exit with. */
static int add_given(const struct invocation *invocation, struct inquiry *inquiry)
{
    const char *socket;
    for (size_t i = 0; (socket = invocation_value_at(invocation, "socket", i)) != NULL; i++) {
        const char *equals = strchr(socket, '=');
        if (!equals || equals == socket || inquiry->service_count == SERVICES_MAX)
            return invocation_usage(invocation->command, "--socket %s: say it as NAME=ADDRESS, %d times at most",
                                    socket, SERVICES_MAX);
        inquiry->services[inquiry->service_count++] =
            (struct service){{socket, (size_t)(equals - socket)}, equals + 1};
    }
    return EXIT_SUCCESS;
}

static int add_known(const struct invocation *invocation, struct inquiry *inquiry)
{
    for (size_t i = 0; option_services[i] && inquiry->service_count < SERVICES_MAX; i++) {
        struct settings *settings = load_settings(invocation, option_services[i]);
        if (!settings)
            return EXIT_FAILURE;
        char found[PROBE_ADDRESS_SIZE];
        probe_address(option_services[i], settings, found);
        settings_unref(settings);
        const char *address = arena_string(&inquiry->arena, text_of(found));
        if (address)
            inquiry->services[inquiry->service_count++] = (struct service){text_of(option_services[i]), address};
    }
    return EXIT_SUCCESS;
}

static int begin(const struct invocation *invocation, struct inquiry *inquiry)
{
    long timeout_ms;
    *inquiry = (struct inquiry){.service_count = 0};
    arena_init(&inquiry->arena, ARENA_MAX_BYTES);
    if (!invocation_number(invocation, "timeout-ms", 1, TIMEOUT_MAX_MS, TIMEOUT_MS, &timeout_ms))
        return EXIT_USAGE;
    inquiry->timeout_ms = (unsigned)timeout_ms;
    return invocation_value(invocation, "socket") ? add_given(invocation, inquiry) : add_known(invocation, inquiry);
}

/* ---- asking: what does not answer is told of, and done without ---- */

static void complain(const struct service *service, const char *cause)
{
    fprintf(stderr, "tandemctl: %.*s (%s): %s\n", TEXT_ARGS(service->name), service->address, cause);
}

static bool ask(struct inquiry *inquiry, const struct service *service, const char *path, struct probe_answer *ret)
{
    char cause[32];
    if (probe_get(service->address, path, inquiry->timeout_ms, ret)) {
        complain(service, err_cause());
        return false;
    }
    if (ret->status == 200 || ret->status == NOT_FOUND) {
        inquiry->answered++;
        return true;
    }
    snprintf(cause, sizeof cause, "the status is %d", ret->status);
    complain(service, cause);
    buf_fini(&ret->body);
    return false;
}

static size_t ask_list(struct inquiry *inquiry, const struct service *service, const char *path,
                       struct listed_trace **ret)
{
    struct probe_answer answer;
    size_t count = 0;
    if (!ask(inquiry, service, path, &answer))
        return 0;
    if (answer.status == 200 &&
        trace_read_list(buf_text(&answer.body), service->name, &inquiry->arena, ret, &count)) {
        complain(service, err_cause());
        count = 0;
    }
    buf_fini(&answer.body);
    return count;
}

/* ---- the list ---- */

struct listing {
    struct listed_trace *traces;
    size_t count, room;
};

/* Two services may each have a part of a trace. */
static void merge(struct inquiry *inquiry, struct listing *listing, const struct listed_trace *trace)
{
    struct listed_trace *known = NULL;
    for (size_t i = 0; i < listing->count && !known; i++)
        known = text_equal(listing->traces[i].id, trace->id) ? &listing->traces[i] : NULL;
    if (!known) {
        if (listing->count < listing->room)
            listing->traces[listing->count++] = *trace;
        return;
    }
    const char *services = arena_printf(&inquiry->arena, "%.*s, %.*s", TEXT_ARGS(known->services),
                                        TEXT_ARGS(trace->services));
    known->services = services ? text_of(services) : known->services;
    if (trace->start_us < known->start_us) {
        known->root = trace->root;
        known->start_us = trace->start_us;
    }
    known->end_us = trace->end_us > known->end_us ? trace->end_us : known->end_us;
    known->spans += trace->spans;
    known->is_error = known->is_error || trace->is_error;
}

static void list_all(struct inquiry *inquiry, const char *path, const char *only, struct listing *listing)
{
    listing->room = LIMIT_MAX * SERVICES_MAX;
    listing->traces = arena_calloc(&inquiry->arena, listing->room, sizeof *listing->traces);
    listing->room = listing->traces ? listing->room : 0;
    for (size_t i = 0; i < inquiry->service_count; i++) {
        const struct service *service = &inquiry->services[i];
        struct listed_trace *traces = NULL;
        if (only && !text_equal_string(service->name, only))
            continue;
        size_t count = ask_list(inquiry, service, path, &traces);
        for (size_t j = 0; j < count; j++)
            merge(inquiry, listing, &traces[j]);
    }
}

static int newer_first(const void *left, const void *right)
{
    const struct listed_trace *a = left, *b = right;
    return (a->start_us < b->start_us) - (a->start_us > b->start_us);
}

static void print_list(const struct listing *listing, size_t limit)
{
    printf("%-27s %12s %5s %-7s %-32s %-24s %s\n", "START", "TOOK", "SPANS", "STATUS", "TRACE", "SERVICES", "ROOT");
    for (size_t i = 0; i < listing->count && i < limit; i++) {
        const struct listed_trace *trace = &listing->traces[i];
        char start[CLOCK_RFC3339_SIZE], took[32];
        snprintf(took, sizeof took, "%.3f ms", (double)(trace->end_us - trace->start_us) / 1000);
        printf("%-27s %12s %5lld %-7s %.*s %-24.*s %.*s\n", clock_rfc3339(trace->start_us, start), took,
               (long long)trace->spans, trace->is_error ? "error" : "ok", TEXT_ARGS(trace->id),
               TEXT_ARGS(trace->services), TEXT_ARGS(trace->root));
    }
}

static bool is_known(const struct inquiry *inquiry, const char *service)
{
    for (size_t i = 0; i < inquiry->service_count; i++)
        if (text_equal_string(inquiry->services[i].name, service))
            return true;
    return false;
}

static int list(const struct invocation *invocation, struct inquiry *inquiry)
{
    struct listing listing = {.traces = NULL};
    const char *only = invocation_value(invocation, "service");
    char path[PATH_SIZE];
    long limit;
    if (!invocation_number(invocation, "limit", 1, LIMIT_MAX, LIMIT, &limit))
        return EXIT_USAGE;
    if (only && !is_known(inquiry, only))
        return invocation_usage(invocation->command, "--service %s: there is no such service", only);
    snprintf(path, sizeof path, "/traces?limit=%ld", limit);
    list_all(inquiry, path, only, &listing);
    if (inquiry->answered == 0)
        return invocation_failure("no service has answered");
    if (listing.count > 0)
        qsort(listing.traces, listing.count, sizeof *listing.traces, newer_first);
    print_list(&listing, (size_t)limit);
    return EXIT_SUCCESS;
}

int command_trace_list(const struct invocation *invocation)
{
    struct inquiry inquiry;
    int status = begin(invocation, &inquiry);
    if (status == EXIT_SUCCESS)
        status = list(invocation, &inquiry);
    arena_fini(&inquiry.arena);
    return status;
}

/* ---- one trace ---- */

struct gathered {
    struct traced_span *spans;
    size_t count;
};

static void add_spans(struct inquiry *inquiry, const struct service *service, const char *path,
                      struct gathered *gathered)
{
    struct probe_answer answer;
    struct traced_span *spans;
    size_t count;
    if (!ask(inquiry, service, path, &answer))
        return;
    if (answer.status == 200) {
        enum err err = trace_read_spans(buf_text(&answer.body), service->name, &inquiry->arena, &spans, &count);
        struct traced_span *all =
            err ? NULL : arena_calloc(&inquiry->arena, gathered->count + count + 1, sizeof *all);
        if (all) {
            if (gathered->count > 0)
                memcpy(all, gathered->spans, gathered->count * sizeof *all);
            memcpy(all + gathered->count, spans, count * sizeof *all);
            *gathered = (struct gathered){all, gathered->count + count};
        } else {
            complain(service, err ? err_cause() : "no memory for its spans");
        }
    }
    buf_fini(&answer.body);
}

static void gather(struct inquiry *inquiry, struct text trace_id, struct gathered *ret)
{
    char path[PATH_SIZE];
    *ret = (struct gathered){NULL, 0};
    snprintf(path, sizeof path, "/traces/%.*s", TEXT_ARGS(trace_id));
    for (size_t i = 0; i < inquiry->service_count; i++)
        add_spans(inquiry, &inquiry->services[i], path, ret);
}

/* Letters, digits and what stands in ids: nothing that would have to be encoded. */
static bool is_id(struct text id)
{
    if (id.length == 0 || id.length > ID_MAX)
        return false;
    for (size_t i = 0; i < id.length; i++)
        if (!strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.", id.at[i]) || !id.at[i])
            return false;
    return true;
}

static bool is_trace_id(struct text id)
{
    for (size_t i = 0; i < id.length; i++)
        if (!strchr("0123456789abcdef", id.at[i]))
            return false;
    return id.length == TRACE_ID_LENGTH;
}

static void print(struct text trace_id, const struct gathered *gathered)
{
    struct trace_tree tree;
    struct trace_style style = trace_style_of(stdout);
    trace_tree_grow(gathered->spans, gathered->count, &tree);
    trace_draw(stdout, &style, trace_id, &tree);
}

/* The oldest trace that has to do with an order is that which placed it; others are named. */
static int show_of(struct inquiry *inquiry, struct text id)
{
    struct listing listing = {.traces = NULL};
    struct gathered gathered;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/traces?limit=%d&of=%.*s", LIMIT_MAX, TEXT_ARGS(id));
    list_all(inquiry, path, NULL, &listing);
    if (inquiry->answered == 0)
        return invocation_failure("no service has answered");
    if (listing.count == 0)
        return invocation_failure("no service has kept a trace of %.*s: it may be older than what trace.memory_kib has "
                                  "room for, or was not sampled (trace.sampler)", TEXT_ARGS(id));
    qsort(listing.traces, listing.count, sizeof *listing.traces, newer_first);
    gather(inquiry, listing.traces[listing.count - 1].id, &gathered);
    if (gathered.count == 0)
        return invocation_failure("the trace is not there any more");
    print(listing.traces[listing.count - 1].id, &gathered);
    for (size_t i = listing.count - 1; i-- > 0;)
        printf("%salso of %.*s: trace %.*s, %.*s\n", i + 2 == listing.count ? "\n" : "", TEXT_ARGS(id),
               TEXT_ARGS(listing.traces[i].id), TEXT_ARGS(listing.traces[i].root));
    return EXIT_SUCCESS;
}

/* The ids that the front gives to requests look like those of traces. */
static int show(const struct invocation *invocation, struct inquiry *inquiry)
{
    struct text id = text_of(invocation->operands[0]);
    struct gathered gathered = {NULL, 0};
    if (!is_id(id))
        return invocation_usage(invocation->command, "%s: that is no id of a trace, a request or an order",
                                invocation->operands[0]);
    if (is_trace_id(id))
        gather(inquiry, id, &gathered);
    if (gathered.count == 0)
        return show_of(inquiry, id);
    print(id, &gathered);
    return EXIT_SUCCESS;
}

int command_trace_show(const struct invocation *invocation)
{
    struct inquiry inquiry;
    int status = begin(invocation, &inquiry);
    if (status == EXIT_SUCCESS)
        status = show(invocation, &inquiry);
    arena_fini(&inquiry.arena);
    return status;
}
