#include "config.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "app/call.h"
#include "app/service.h"

static const struct {
    unsigned role;
    const char *name;
} roles[] = {
    {ROLE_CUSTOMER, "customer"},
    {ROLE_ADMIN, "admin"},
    {ROLE_SERVICE, "service"},
};

unsigned role_of(struct text name)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (text_equal_string(name, roles[i].name))
            return roles[i].role;
    }
    return 0;
}

const char *role_name(unsigned role)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (roles[i].role == role)
            return roles[i].name;
    }
    return "none";
}

struct arena *call_arena(struct call *call)
{
    return &call->exchange->request.arena;
}

void *call_app(const struct call *call)
{
    return call->service->app;
}

int64_t call_setting(const struct call *call, enum option_id option)
{
    return settings_int(call->settings, option);
}

struct text call_path(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->match.name_count; i++) {
        if (text_equal_string(call->match.names[i].name, name))
            return call->match.names[i].value;
    }
    assert(!"a handler asks for a name that its pattern has");
    return TEXT_NONE;
}

bool call_has_role(const struct call *call, unsigned wanted)
{
    return (call->caller.role & wanted) != 0;
}

enum err call_refuse(struct call *call, enum err err, const char *type, const char *detail)
{
    assert(err != ERR_NONE);
    call->problem.err = err;
    call->problem.type = type ? arena_printf(call_arena(call), "/problems/%s", type) : NULL;
    call->problem.detail = detail ? arena_text(call_arena(call), text_of(detail)) : TEXT_NONE;
    return err;
}

enum err call_fault(struct call *call, const char *pointer, const char *reason)
{
    if (!call->faults)
        call->faults = arena_calloc(call_arena(call), 1, sizeof *call->faults);
    struct text kept = arena_text(call_arena(call), text_of(pointer));
    if (!call->faults || !kept.at)
        return ERR_MEMORY;
    json_fault_add(call->faults, kept, reason);
    return ERR_INVALID;
}

void call_json(struct call *call, int status, struct json_writer *writer)
{
    call->exchange->response.status = status;
    json_writer_init(writer, &call->exchange->response.body);
}

void call_empty(struct call *call, int status)
{
    call->exchange->response.status = status;
}

void call_header(struct call *call, const char *name, const char *format, ...)
{
    struct buf value;
    va_list values;
    buf_init(&value, 4096);
    va_start(values, format);
    buf_addv(&value, format, values);
    va_end(values);
    enum err err = buf_check(&value);
    if (!err)
        err = http_header_add(&call->exchange->request, &call->exchange->response, name, buf_text(&value));
    if (err)
        call->exchange->response.body.failed = true;
    buf_fini(&value);
}

enum err call_if_match(struct call *call, int64_t *ret_version)
{
    struct text tag = http_header(&call->exchange->request, "If-Match");
    if (!tag.at)
        return call_refuse(call, ERR_PRECONDITION_REQUIRED, NULL,
                           "Send the ETag that you read in an If-Match header, so that no other change is lost.");
    tag = text_trim(tag);
    if (text_equal_string(tag, "*")) {
        *ret_version = -1;
        return ERR_NONE;
    }
    if (tag.length < 2 || (tag.at[0] != '"' && !text_starts(tag, TEXT("W/\""))) || tag.at[tag.length - 1] != '"')
        return call_refuse(call, ERR_MALFORMED, NULL, "If-Match is one entity tag in quotes, or *.");
    struct text number = {tag.at + 1, tag.length - 2};
    int64_t version;
    if (tag.at[0] != '"' || text_to_int(number, &version) != ERR_NONE || version < 0)
        return call_refuse(call, ERR_PRECONDITION_FAILED, NULL, NULL);
    *ret_version = version;
    return ERR_NONE;
}
