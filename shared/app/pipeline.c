#include "config.h"

#include <string.h>

#include "app/auth.h"
#include "app/call_trace.h"
#include "app/idempotency.h"
#include "app/observe.h"
#include "app/pipeline.h"
#include "app/service.h"
#include "base/clock.h"
#include "base/fault.h"
#include "net/client.h"

enum { REQUEST_ID_MAX = 128, RETRY_AFTER_S = 1 };

#define CALL_OF_CLAIM(given) ((struct call *)((char *)(given) - offsetof(struct call, claim)))

static void go_on_after_claim(struct call *call);

/* ---- the end of every call ---- */

/* Errors that go away by themselves: the client is told to come back. */
static const enum err passing[] = {ERR_TOO_MANY, ERR_BUSY, ERR_MEMORY, ERR_UNAVAILABLE, ERR_CLOSED};

static void respond_problem(struct call *call, enum err err)
{
    struct problem *problem = &call->problem;
    if (problem->err != err)
        *problem = (struct problem){.err = err};
    problem->request_id = call->request_id;
    problem->faults = call->faults;
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        if (passing[i] == err && !problem->retry_after_s)
            problem->retry_after_s = RETRY_AFTER_S;
    }
    problem_respond(problem, &call->exchange->request, &call->exchange->response);
    if (err == ERR_METHOD) {
        char allow[ROUTE_ALLOW_SIZE];
        call_header(call, "Allow", "%s", route_allow(call->match.allowed, allow));
    }
}

static void answer(struct call *call, enum err err)
{
    struct service *service = call->service;
    struct exchange *exchange = call->exchange;
    struct settings *settings = call->settings;
    struct claim *waiting = call->claim.held ? claims_release(service->claims, &call->claim) : NULL;
    if (!err)
        err = buf_check(&exchange->response.body);
    call->err = err;
    if (err)
        respond_problem(call, err);
    call_header(call, "X-Request-Id", "%.*s", TEXT_ARGS(call->request_id));
    observe_call(call);
    exchange_finish(exchange);   /* the call is gone with it */
    settings_unref(settings);
    atomic_fetch_sub_explicit(&service->in_flight, 1, memory_order_release);
    while (waiting) {
        struct call *next = CALL_OF_CLAIM(waiting);
        waiting = waiting->next;
        go_on_after_claim(next);
    }
}

void pipeline_answer(struct call *call, enum err err)
{
    call->queued_since_ns = 0;   /* it was with others, and in no queue */
    answer(call, err);
}

static void answer_bare(struct exchange *exchange, enum err err)
{
    struct problem problem = {.err = err, .retry_after_s = RETRY_AFTER_S};
    problem_respond(&problem, &exchange->request, &exchange->response);
    exchange_finish(exchange);
}

/* Nobody waits for the answer any more, or not much longer. */
static enum err check_deadline(struct call *call)
{
    call->checked_ns = clock_now_ns();
    if (atomic_load_explicit(&call->exchange->abandoned, memory_order_relaxed))
        return err_because(ERR_DEADLINE, "the client has given up");
    return call->checked_ns < call->deadline_ns ? ERR_NONE : err_because(ERR_DEADLINE, "the request waited too long");
}

/* ---- time in queues ---- */

/* The call is with another thread from when it is queued, so nothing may be said on this one as of it. */
static void enter_queue(struct call *call)
{
    call->queued_since_ns = clock_now_ns();
    trace_unwind(call->trace, call->queued_since_ns);
    observe_leave();
}

/* A command may be run again, but has waited once. */
static int64_t leave_queue(struct call *call)
{
    int64_t now_ns = clock_now_ns();
    if (call->queued_since_ns)
        call->queue_ns += now_ns - call->queued_since_ns;
    call->queued_since_ns = 0;
    return now_ns;
}

/* ---- the worker pool ---- */

void pipeline_enter(const struct call *call)
{
    observe_enter(call);
}

void pipeline_on_this_worker(struct call *call, struct db_connection *reader, void (*resume)(struct call *call))
{
    int64_t since_ns = call->queued_since_ns;
    err_clear();
    int64_t now_ns = leave_queue(call);
    call_trace_task(call, since_ns ? now_ns - since_ns : 0, now_ns);
    observe_enter(call);
    call->db = reader;
    call->on_worker = true;
    resume(call);
    observe_leave();
}

static void on_worker(struct pool_job *job, struct db_connection *reader)
{
    struct call *call = (struct call *)((char *)job - offsetof(struct call, task));
    pipeline_on_this_worker(call, reader, call->resume);
}

enum err pipeline_to_worker(struct call *call, enum pool_kind kind, void (*resume)(struct call *call))
{
    struct service *service = call->service;
    bool is_reading = kind == POOL_READING && service->reading_pool;
    call->resume = resume;
    call->task.run = on_worker;
    call->task.kind = kind;
    enter_queue(call);
    return pool_submit(is_reading ? service->reading_pool : service->pool, &call->task);
}

/* ---- the handler: task, then query or command ---- */

static enum err change(struct call *call)
{
    bool found = false;
    http_response_reset(&call->exchange->response);
    call->problem = (struct problem){.err = ERR_NONE};
    if (call->faults)
        call->faults->count = 0;
    enum err err = check_deadline(call);
    if (!err && call->endpoint->idempotent)
        err = idempotency_recall(call, &found);
    if (!err && !found) {
        err = call->endpoint->command(call);
        if (!err)
            err = buf_check(&call->exchange->response.body);
        if (!err && call->endpoint->idempotent)
            err = idempotency_remember(call);
    }
    return err;
}

static enum err run_command(struct db_connection *connection, void *context)
{
    struct call *call = context;
    err_clear();
    call_trace_transaction(call, leave_queue(call));
    observe_enter(call);
    call->db = connection;
    enum err err = change(call);
    if (err && err_status(err) >= 500)
        call->cause = arena_string(call_arena(call), text_of(err_cause()));
    observe_leave();
    return err;
}

static void command_done(struct db_job *job, enum err err)
{
    struct call *call = job->context;
    call->db = NULL;
    call_trace_committed(call, err);
    answer(call, err ? err : fault_at(FAULT_AFTER_COMMIT_BEFORE_ANSWER));
}

/* A query ends with its call's time, or when its client has gone. */
static enum err run_query(struct call *call)
{
    db_reader_limit(call->db, call->deadline_ns, &call->exchange->abandoned);
    enum err err = call->endpoint->query(call);
    db_reader_limit(call->db, 0, NULL);
    return err;
}

/* On to where the database may be read, when this is not it. */
static bool goes_on_reading(struct call *call, bool may_be_stale, void (*resume)(struct call *call))
{
    if (call->db)
        return false;
    call->task.may_be_stale = may_be_stale;
    enum err err = pipeline_to_worker(call, POOL_READING, resume);
    if (err)
        answer(call, err);
    return true;
}

static void run_data(struct call *call)
{
    const struct endpoint *endpoint = call->endpoint;
    enum err err = check_deadline(call);
    if (!err && endpoint->query && goes_on_reading(call, endpoint->may_be_stale, run_data))
        return;
    if (!err && endpoint->later) {
        enter_queue(call);
        endpoint->later(call);
        return;
    }
    if (!err && endpoint->command) {
        call->job = (struct db_job){.work = run_command, .done = command_done, .context = call};
        enter_queue(call);
        call_trace_queued(call);
        err = db_submit(call->service->db, &call->job);
        if (!err)
            return;
    } else if (!err && endpoint->query) {
        call_trace_query(call, call->checked_ns);
        err = fault_at(FAULT_DB_READ);
        err = err ? err : run_query(call);
    }
    answer(call, err);
}

/* What a repeat would be refused for, or take long over, it has been answered already. */
static void run_task(struct call *call)
{
    bool found = false;
    enum err err = check_deadline(call);
    if (!err && call->endpoint->idempotent)
        err = idempotency_recall(call, &found);
    if (!err && !found)
        err = call->endpoint->task(call);
    if (err || call->exchange->response.status)
        answer(call, err);
    else
        run_data(call);
}

/* ---- before the handler ---- */

static enum err authorize(struct call *call)
{
    unsigned access = call->endpoint->access;
    if (access && !call_has_role(call, access))
        return call_refuse(call, ERR_FORBIDDEN, NULL, NULL);
    return ERR_NONE;
}

static enum err read_input(struct call *call)
{
    const struct input *input = call->endpoint->input;
    struct http_request *request = &call->exchange->request;
    struct json_document *document;
    if (!input)
        return ERR_NONE;
    if (!http_is_json(request))
        return call_refuse(call, ERR_MEDIA_TYPE, NULL, "Send the body as application/json.");
    call->input = arena_calloc(&request->arena, 1, input->size_bytes);
    call->faults = arena_calloc(&request->arena, 1, sizeof *call->faults);
    if (!call->input || !call->faults)
        return ERR_MEMORY;
    enum err err = json_parse(request->body.at ? request->body : TEXT(""), &document);
    if (err == ERR_MALFORMED)
        return call_refuse(call, err, NULL, err_cause());
    if (err)
        return err;
    err = json_read(document, input->fields, &request->arena, call->input, call->faults);
    json_free(document);
    return err;
}

/* Where blocking is allowed; at once when the call is there already. */
static void continue_on_worker(struct call *call)
{
    enum pool_kind kind = call->endpoint->pool;
    enum err err = ERR_NONE;
    if (call->on_worker && kind == POOL_COMMON)
        run_task(call);
    else
        err = pipeline_to_worker(call, kind, run_task);
    if (err)
        answer(call, err);
}

static void go_on(struct call *call)
{
    if (call->endpoint->task)
        continue_on_worker(call);
    else
        run_data(call);
}

/* ---- one call at a time with an idempotency key ---- */

/* Goes on on another thread, whose reader is not this one's. */
static void parking(struct claim *claim)
{
    struct call *call = CALL_OF_CLAIM(claim);
    call->db = NULL;
    call->on_worker = false;
    enter_queue(call);
}

static bool take_claim(struct call *call)
{
    call->claim.deadline_ns = call->deadline_ns;
    return claims_take(call->service->claims, &call->claim, parking);
}

void pipeline_overdue(struct claim *claim)
{
    struct call *call = CALL_OF_CLAIM(claim);
    err_clear();
    leave_queue(call);
    call_refuse(call, ERR_CONFLICT, "idempotency-key-under-way",
                "A request with this Idempotency-Key is still under way; ask again for its answer.");
    call->problem.retry_after_s = RETRY_AFTER_S;
    answer(call, ERR_CONFLICT);
}

/* The one it waited for has been answered, on this thread. */
static void go_on_after_claim(struct call *call)
{
    if (clock_now_ns() >= call->deadline_ns) {
        pipeline_overdue(&call->claim);
        return;
    }
    leave_queue(call);
    observe_enter(call);
    go_on(call);
    observe_leave();
}

static void handle(struct call *call)
{
    const struct endpoint *endpoint = call->endpoint;
    enum err err = authorize(call);
    if (!err)
        err = read_input(call);
    if (!err && endpoint->idempotent)
        err = idempotency_key(call);
    if (!err && endpoint->check)
        err = endpoint->check(call);
    if (err)
        answer(call, err);
    else if (!endpoint->idempotent || take_claim(call))
        go_on(call);
}

void pipeline_identified(struct call *call, enum err err)
{
    if (!err)
        err = check_deadline(call);
    if (err)
        answer(call, err);
    else
        handle(call);
}

static enum err identify(struct call *call)
{
    char digest[TOKEN_DIGEST_SIZE];
    struct secret token;
    if (!call->endpoint->access)
        return ERR_NONE;
    token = auth_bearer(&call->exchange->request);
    if (!secret_is_given(token))
        return call_refuse(call, ERR_UNAUTHENTICATED, NULL, NULL);
    digest_hex(secret_reveal(token), digest);
    if (call->service->definition->identify)
        return call->service->definition->identify(call, digest, &call->caller);
    return auth_recall(call->service->auth, call, digest, &call->caller);
}

/* The front passes "/order/healthz" as it came; a service's own name before the path is not part of it. */
static struct text without_prefix(const struct call *call)
{
    struct text path = call->exchange->request.path;
    struct text name = text_of(call->service->definition->name);
    if (path.length > name.length + 1 && path.at[name.length + 1] == '/' &&
        text_equal((struct text){path.at + 1, name.length}, name))
        return (struct text){path.at + 1 + name.length, path.length - 1 - name.length};
    return path;
}

static enum err route(struct call *call)
{
    const struct http_request *request = &call->exchange->request;
    enum err err =
        router_match(call->service->router, request->method, without_prefix(call), call_arena(call), &call->match);
    if (err)
        return err;
    call->endpoint = &call->service->endpoints[call->match.row];
    call_trace_routed(call);
    return ERR_NONE;
}

static bool request_id_well_formed(struct text id)
{
    if (!id.at || id.length == 0 || id.length > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.length; i++) {
        if (!strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.", id.at[i]) || !id.at[i])
            return false;
    }
    return true;
}

static void give_ids(struct call *call)
{
    const struct http_request *request = &call->exchange->request;
    call->request_id = http_header(request, "X-Request-Id");
    if (!request_id_well_formed(call->request_id))
        call->request_id = text_of(id_new(call->made_id));
    call_trace_begin(call);
}

/* To what its caller has left. What is not a number of milliseconds says nothing. */
static void shorten_deadline(struct call *call)
{
    struct text given = http_header(&call->exchange->request, CLIENT_DEADLINE_HEADER);
    int64_t left_ms, limit_ms = (call->deadline_ns - call->started_ns) / NS_PER_MS;
    if (given.at && text_to_int(given, &left_ms) == ERR_NONE && left_ms >= 0 && left_ms < limit_ms)
        call->deadline_ns = call->started_ns + left_ms * NS_PER_MS;
}

static void shed(struct call *call)
{
    metric_add(call->service->shed, 1);
    answer(call, call_refuse(call, ERR_BUSY, "overloaded", "Too many requests are under way; try again shortly."));
}

/* A call for the exchange, or NULL when it was answered because there is no room for it. */
static struct call *admit(struct service *service, struct exchange *exchange)
{
    unsigned under_way = atomic_fetch_add_explicit(&service->in_flight, 1, memory_order_relaxed);
    struct call *call = arena_calloc(&exchange->request.arena, 1, sizeof *call);
    if (!call) {
        answer_bare(exchange, ERR_MEMORY);
        atomic_fetch_sub_explicit(&service->in_flight, 1, memory_order_release);
        return NULL;
    }
    exchange->call = call;
    call->service = service;
    call->exchange = exchange;
    call->db = service->lane_readers[exchange->lane];   /* NULL where lanes do not read */
    call->started_ns = call->queued_since_ns = exchange->request.received_ns;
    call->settings = current_take(&service->current);
    leave_queue(call);
    call->deadline_ns = call->started_ns + call_setting(call, OPTION_SERVER_REQUEST_TIMEOUT_MS) * NS_PER_MS;
    shorten_deadline(call);
    give_ids(call);
    if (atomic_load(&service->closed))
        answer(call, ERR_CLOSED);
    else if (under_way >= call_setting(call, OPTION_SERVER_REQUESTS_MAX))
        shed(call);
    else
        return call;
    return NULL;
}

/* Who is asking is found in the database itself, in the service that has the accounts. */
static bool reads_who_asks(const struct call *call)
{
    return call->endpoint->access && call->service->definition->identify;
}

static void identify_and_go_on(struct call *call)
{
    if (reads_who_asks(call) && goes_on_reading(call, false, identify_and_go_on))
        return;
    enum err err = identify(call);
    if (err == ERR_AGAIN)
        auth_ask(call->service->auth, call);
    else if (err)
        answer(call, err);
    else
        handle(call);
}

void pipeline_dispatch(struct exchange *exchange, void *context)
{
    err_clear();
    struct call *call = admit(context, exchange);
    if (!call)
        return;
    observe_enter(call);
    enum err err = fault_at(FAULT_REQUEST);
    if (!err)
        err = route(call);
    if (err)
        answer(call, err);
    else
        identify_and_go_on(call);
    observe_leave();
}
