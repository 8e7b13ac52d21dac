#include "config.h"

#include "app/health.h"
#include "app/metrics.h"
#include "app/reload.h"
#include "app/service.h"
#include "base/clock.h"
#include "conf/option.h"

enum { NEEDED_TIMEOUT_MS = 1000, SERVICE_UNAVAILABLE = 503 };

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

enum state { STATE_OK, STATE_DEGRADED, STATE_FAILED };

static const char *const state_names[] = {"ok", "degraded", "failed"};

static enum state check_database(struct call *call)
{
    struct db_statement *query = db_query(call->db, "SELECT 1");
    while (db_next(query))
        continue;
    return db_done(query) ? STATE_FAILED : STATE_OK;
}

static enum state check_accepting(struct call *call)
{
    if (!atomic_load(&call->service->draining))
        return STATE_OK;
    err_because(ERR_CLOSED, "shutting down");
    return STATE_FAILED;
}

/* A needed service that is away makes this one degraded, not unready: what it knows already it still serves, and taking
 * it out of rotation would turn one failure into two. */
static enum state check_user_service(struct call *call)
{
    const struct http_param request_id = {TEXT("X-Request-Id"), call->request_id};
    struct client_request request = {.method = HTTP_GET, .path = "/user/ping", .headers = &request_id,
                                     .header_count = 1, .timeout_ms = NEEDED_TIMEOUT_MS};
    struct client_response response;
    if (!call->service->user_client)
        return STATE_OK;
    if (client_call(call->service->user_client, &request, &response) != ERR_NONE)
        return STATE_DEGRADED;
    buf_fini(&response.body);
    if (response.status == 200)
        return STATE_OK;
    err_because(ERR_UNAVAILABLE, "the user service answered %d", response.status);
    return STATE_DEGRADED;
}

/* What was wrong is not in effect, so the service is as good as before. */
static enum state check_settings(struct call *call)
{
    return reload_state(call->service->reload) ? STATE_DEGRADED : STATE_OK;
}

struct check {
    const char *name;
    enum state (*run)(struct call *call);   /* on a state that is not ok, err_cause() says why */
    bool local;                             /* part of /healthz too */
};

static const struct check checks[] = {
    {"database", check_database, true},
    {"accepting", check_accepting, false},
    {"user-service", check_user_service, false},
    {"settings", check_settings, false},
};

static enum state run_check(struct call *call, const struct check *check, struct json_writer *writer)
{
    int64_t started_ns = clock_now_ns();
    enum state state = check->run(call);
    json_object_begin(writer);
    json_member_string(writer, "name", check->name);
    json_member_string(writer, "status", state_names[state]);
    json_key(writer, "duration_ms");
    json_number(writer, (double)(clock_now_ns() - started_ns) / NS_PER_MS);
    if (state != STATE_OK)
        json_member_string(writer, "cause", err_cause());
    json_object_end(writer);
    return state;
}

static enum err run_checks(struct call *call, bool local_only)
{
    struct json_writer writer;
    enum state worst = STATE_OK;
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_key(&writer, "checks");
    json_array_begin(&writer);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (local_only && !checks[i].local)
            continue;
        enum state state = run_check(call, &checks[i], &writer);
        if (state > worst)
            worst = state;
    }
    json_array_end(&writer);
    json_member_string(&writer, "status", state_names[worst]);
    json_object_end(&writer);
    if (worst == STATE_FAILED)
        call->exchange->response.status = SERVICE_UNAVAILABLE;
    call_header(call, "Cache-Control", "no-store");
    return ERR_NONE;
}

static enum err healthz(struct call *call)
{
    return run_checks(call, true);
}

static enum err readyz(struct call *call)
{
    return run_checks(call, false);
}

const struct endpoint common_endpoints[] = {
    {.route = {HTTP_GET, "/ping"}, .query = ping},
    {.route = {HTTP_GET, "/version"}, .query = version},
    {.route = {HTTP_GET, "/healthz"}, .query = healthz},
    {.route = {HTTP_GET, "/readyz"}, .task = readyz},   /* asks others, so it may block */
    {.route = {HTTP_GET, "/metrics"}, .query = metrics_page},
};
const size_t common_endpoint_count = sizeof common_endpoints / sizeof common_endpoints[0];
