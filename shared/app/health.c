#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/discovery_settings.h"
#include "app/health.h"
#include "app/metrics.h"
#include "app/pipeline.h"
#include "app/service.h"
#include "app/traces.h"
#include "base/clock.h"
#include "conf/option.h"

enum { SERVICE_UNAVAILABLE = 503 };

/* ---- /ping and /version ---- */

static enum err ping(struct call *call)
{
    struct http_response *response = &call->exchange->response;
    response->status = 200;
    buf_add_string(&response->body, "pong\n");
    return http_header_add(&call->exchange->request, response, "Content-Type", TEXT("text/plain; charset=utf-8"));
}

/* With what this process runs: whether what was delivered is in effect, and what a restart is needed for. */
static void write_settings(const struct settings *settings, struct json_writer *writer)
{
    json_key(writer, "settings");
    json_object_begin(writer);
    json_member_string(writer, "digest", settings_digest(settings));
    json_member_time(writer, "loaded_at", settings_loaded_us(settings));
    json_key(writer, "await_restart");
    json_array_begin(writer);
    for (size_t i = 0; i < option_count; i++) {
        if (settings_awaits_restart(settings, (enum option_id)i))
            json_string(writer, option_table[i].path);
    }
    json_array_end(writer);
    json_object_end(writer);
}

static enum err version(struct call *call)
{
    struct json_writer writer;
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_member_string(&writer, "service", call->service->definition->name);
    json_member_string(&writer, "version", PACKAGE_VERSION);
    write_settings(call->settings, &writer);
    json_object_end(&writer);
    call_header(call, "Cache-Control", "no-store");
    return ERR_NONE;
}

/* ---- /healthz and /readyz ---- */

/* Asked by the service itself; wait comes first, since done() is called with it. */
struct own_question {
    struct check_wait wait;
    atomic_bool is_asked;
};

struct health {
    struct checks *checks;
    struct own_question own;
    size_t row_count, check_count;
    const struct health_row **rows;      /* those that apply, in the order they are told in */
    struct check *slow;                  /* those of them that run on threads, in the same order */
};

static const char *const state_names[] = {"ok", "degraded", "failed"};

static enum health_state state_of(const struct settings *settings, const struct health_row *row, enum err err)
{
    bool needs_hard = strcmp(settings_text(settings, OPTION_HEALTH_NEEDS_HARD), "on") == 0;
    if (!err)
        return HEALTH_OK;
    return row->weight == HEALTH_HARD || (row->weight == HEALTH_NEEDED && needs_hard) ? HEALTH_FAILED : HEALTH_DEGRADED;
}

static void look(struct service *service, const struct check *check, struct check_result *result)
{
    int64_t started_ns = clock_now_ns();
    result->err = check->run(service);
    result->duration_ns = clock_now_ns() - started_ns;
    result->checked_us = clock_wall_us();
    snprintf(result->cause, sizeof result->cause, "%s", result->err ? err_cause() : "");
}

static void write_check(struct json_writer *writer, const char *name, enum health_state state,
                        const struct check_result *result)
{
    json_object_begin(writer);
    json_member_string(writer, "name", name);
    json_member_string(writer, "status", state_names[state]);
    json_key(writer, "duration_ms");
    json_number(writer, (double)(result->duration_ns / 1000) / 1000);
    if (result->checked_us)
        json_member_time(writer, "time", result->checked_us);
    if (state != HEALTH_OK)
        json_member_string(writer, "cause", result->cause);
    json_object_end(writer);
}

/* All of the scope, one by one; the worst of them is the whole's. */
static enum health_state write_checks(struct call *call, enum check_scope scope, struct json_writer *writer)
{
    const struct health *health = call->service->health;
    enum health_state worst = HEALTH_OK;
    size_t slow = 0;
    for (size_t i = 0; i < health->row_count; i++) {
        const struct health_row *row = health->rows[i];
        struct check_result result;
        size_t at = slow;
        slow += !row->is_quick;
        if (row->check.scope > scope)
            continue;
        if (row->is_quick)
            look(call->service, &row->check, &result);
        else
            checks_result(health->checks, at, &result);
        enum health_state state = state_of(call->settings, row, result.err);
        if (state == HEALTH_FAILED && !call->cause)   /* for the log, which tells of every 503 */
            call->cause = arena_printf(call_arena(call), "%s: %s", row->check.name, result.cause);
        write_check(writer, row->check.name, state, &result);
        worst = state > worst ? state : worst;
    }
    return worst;
}

struct probe {
    struct check_wait wait;
    struct call *call;
};

static void answer_probe(struct check_wait *wait)
{
    struct call *call = ((struct probe *)wait)->call;
    struct json_writer writer;
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_key(&writer, "checks");
    json_array_begin(&writer);
    enum health_state worst = write_checks(call, wait->scope, &writer);
    json_array_end(&writer);
    json_member_string(&writer, "status", state_names[worst]);
    json_object_end(&writer);
    if (worst == HEALTH_FAILED)
        call->exchange->response.status = SERVICE_UNAVAILABLE;
    call_header(call, "Cache-Control", "no-store");
    pipeline_answer(call, ERR_NONE);
}

static struct check_limits limits_of(const struct settings *settings)
{
    return (struct check_limits){
        .cache_ms = (unsigned)settings_int(settings, OPTION_HEALTH_CACHE_MS),
        .timeout_ms = {[CHECK_LOCAL] = (unsigned)settings_int(settings, OPTION_HEALTH_LOCAL_TIMEOUT_MS),
                       [CHECK_NEEDS] = (unsigned)settings_int(settings, OPTION_HEALTH_NEEDS_TIMEOUT_MS)},
    };
}

static void ask(struct call *call, enum check_scope scope)
{
    const struct check_limits limits = limits_of(call->settings);
    struct probe *probe = arena_calloc(call_arena(call), 1, sizeof *probe);
    if (!probe) {
        pipeline_answer(call, ERR_MEMORY);
        return;
    }
    probe->call = call;
    probe->wait.done = answer_probe;
    if (checks_ask(call->service->health->checks, &limits, scope, &probe->wait))
        answer_probe(&probe->wait);
}

/* ---- for the registry ---- */

static void own_question_answered(struct check_wait *wait)
{
    struct own_question *question = (struct own_question *)wait;
    atomic_store(&question->is_asked, false);
}

/* What one check says, of the latest answers; one that was never made says nothing. */
static void weigh(struct service *service, const struct settings *settings, const struct health_row *row,
                  struct check_result *result, struct health_verdict *worst)
{
    if (row->is_quick)
        look(service, &row->check, result);
    enum health_state state = result->err == ERR_AGAIN ? HEALTH_OK : state_of(settings, row, result->err);
    if (state <= worst->state)
        return;
    worst->state = state;
    snprintf(worst->note, sizeof worst->note, "%s: %s", row->check.name, result->cause);
}

void health_verdict(struct service *service, struct health_verdict *ret)
{
    struct health *health = service->health;
    struct settings *settings = current_take(&service->current);
    const struct check_limits limits = limits_of(settings);
    struct check_result result = {.err = ERR_NONE};
    size_t slow = 0;
    *ret = (struct health_verdict){.state = HEALTH_OK};
    if (!atomic_exchange(&health->own.is_asked, true)) {
        health->own.wait = (struct check_wait){.done = own_question_answered};
        if (checks_ask(health->checks, &limits, CHECK_NEEDS, &health->own.wait))
            atomic_store(&health->own.is_asked, false);
    }
    for (size_t i = 0; i < health->row_count; i++) {
        if (!health->rows[i]->is_quick)
            checks_result(health->checks, slow++, &result);
        weigh(service, settings, health->rows[i], &result, ret);
    }
    settings_unref(settings);
}

/* ---- the probes' endpoints ---- */

static void healthz(struct call *call)
{
    ask(call, CHECK_LOCAL);
}

static void readyz(struct call *call)
{
    ask(call, CHECK_NEEDS);
}

const struct endpoint common_endpoints[] = {
    {.route = {HTTP_GET, "/ping"}, .query = ping},
    {.route = {HTTP_GET, "/version"}, .query = version},
    {.route = {HTTP_GET, "/healthz"}, .later = healthz},
    {.route = {HTTP_GET, "/readyz"}, .later = readyz},
    {.route = {HTTP_GET, "/metrics"}, .query = metrics_page},
    {.route = {HTTP_GET, "/traces"}, .query = traces_list},
    {.route = {HTTP_GET, "/traces/{id}"}, .query = traces_show},
    {.route = {HTTP_GET, "/endpoints"}, .query = discovery_page},
};
const size_t common_endpoint_count = sizeof common_endpoints / sizeof common_endpoints[0];

/* ---- the part ---- */

static void choose_rows(const struct service *service, struct health *health)
{
    for (size_t i = 0; i < health_row_count; i++) {
        const struct health_row *row = &health_rows[i];
        if (row->applies && !row->applies(service))
            continue;
        health->rows[health->row_count++] = row;
        if (!row->is_quick)
            health->slow[health->check_count++] = row->check;
    }
}

static void health_free(struct health *health)
{
    if (!health)
        return;
    checks_close(health->checks);
    free(health->slow);
    free(health->rows);
    free(health);
}

enum err health_start(struct service *service)
{
    enum err err = err_because(ERR_MEMORY, "no memory for health checks");
    struct health *health = calloc(1, sizeof *health);
    if (!health)
        return err;
    health->rows = calloc(health_row_count, sizeof(struct health_row *));
    health->slow = calloc(health_row_count, sizeof health->slow[0]);
    if (health->rows && health->slow) {
        choose_rows(service, health);
        err = checks_open(health->slow, health->check_count, service, &health->checks);
    }
    if (err)
        health_free(health);
    else
        service->health = health;
    return err;
}

void health_stop(struct service *service)
{
    health_free(service->health);
    service->health = NULL;
}
