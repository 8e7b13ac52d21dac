#include "config.h"

#include <stdlib.h>

#include "net/fcgi_call.h"
#include "net/problem.h"

enum {
    POOL_MAX = 64,                   /* calls kept for use again */
    KEEP_BYTES = 16 * 1024,          /* of each buffer in them */
    HEAD_MAX_BYTES = 64 * 1024,      /* of a response's header block */
};

static struct fcgi_call *call_new(const struct server_opts *opts)
{
    struct fcgi_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    arena_init(&call->exchange.request.arena, opts->arena_max_bytes);
    buf_init(&call->exchange.response.body, opts->response_max_bytes);
    buf_init(&call->inbound.params, opts->params_max_bytes);
    buf_init(&call->inbound.body, opts->body_max_bytes);
    buf_init(&call->head, HEAD_MAX_BYTES);
    call->inbound.request = &call->exchange.request;
    return call;
}

static void call_free(struct fcgi_call *call)
{
    arena_fini(&call->exchange.request.arena);
    buf_fini(&call->exchange.response.body);
    buf_fini(&call->inbound.params);
    buf_fini(&call->inbound.body);
    buf_fini(&call->head);
    free(call);
}

static void request_reset(struct http_request *request)
{
    struct arena arena = request->arena;
    arena_reset(&arena);
    if (arena.total_bytes > KEEP_BYTES)
        arena_fini(&arena);
    *request = (struct http_request){.arena = arena, .method = HTTP_OTHER};
}

static void response_reset(struct http_response *response)
{
    response->status = 0;
    response->header_count = 0;
    buf_reset(&response->body, KEEP_BYTES);
}

struct fcgi_call *fcgi_call_get(struct fcgi_call_pool *pool)
{
    struct fcgi_call *call = pool->free;
    if (!call)
        return call_new(pool->opts);
    pool->free = call->next_free;
    pool->count--;
    return call;
}

void fcgi_call_put(struct fcgi_call_pool *pool, struct fcgi_call *call)
{
    if (!call)
        return;
    if (pool->count == POOL_MAX) {
        call_free(call);
        return;
    }
    request_reset(&call->exchange.request);
    response_reset(&call->exchange.response);
    buf_reset(&call->inbound.params, KEEP_BYTES);
    buf_reset(&call->inbound.body, KEEP_BYTES);
    buf_reset(&call->head, KEEP_BYTES);
    atomic_store_explicit(&call->exchange.abandoned, false, memory_order_relaxed);
    call->exchange.call = NULL;
    call->owner = NULL;
    call->next_free = pool->free;
    pool->free = call;
    pool->count++;
}

void fcgi_call_pool_fini(struct fcgi_call_pool *pool)
{
    while (pool->free) {
        struct fcgi_call *call = pool->free;
        pool->free = call->next_free;
        call_free(call);
    }
    pool->count = 0;
}

static void head_make(struct fcgi_call *call)
{
    buf_reset(&call->head, KEEP_BYTES);
    http_response_head(&call->exchange.request, &call->exchange.response, &call->head);
}

void fcgi_call_seal(struct fcgi_call *call, struct fcgi_stdout *ret_response)
{
    const struct problem internal = {.err = ERR_INTERNAL};
    struct http_request *request = &call->exchange.request;
    struct http_response *response = &call->exchange.response;
    if (!response->status || response->body.failed)
        problem_respond(&internal, request, response);
    head_make(call);
    if (call->head.failed) {
        problem_respond(&internal, request, response);
        head_make(call);
    }
    *ret_response = (struct fcgi_stdout){
        .request_id = call->inbound.id,
        .head = buf_text(&call->head),
        .payload = http_response_payload(request, response),
    };
}
