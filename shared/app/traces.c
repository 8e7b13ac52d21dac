#include "config.h"

#include "app/service.h"
#include "app/traces.h"
#include "base/clock.h"
#include "telemetry/trace_recorder.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 200 };

static enum err read_limit(struct call *call, struct text given, int64_t *ret)
{
    *ret = LIMIT_DEFAULT;
    if (given.at && (text_to_int(given, ret) != ERR_NONE || *ret < 1 || *ret > LIMIT_MAX))
        return call_refuse(call, ERR_INVALID, NULL,
                           arena_printf(call_arena(call), "limit is a number from 1 to %d.", LIMIT_MAX));
    return ERR_NONE;
}

static void write_summary(struct json_writer *writer, const struct trace_summary *summary)
{
    json_object_begin(writer);
    json_member_string(writer, "trace_id", summary->trace_id);
    json_member_text(writer, "root", summary->root_name);
    json_member_time(writer, "start", summary->start_ns / (NS_PER_S / US_PER_S));
    json_member_time(writer, "end", summary->end_ns / (NS_PER_S / US_PER_S));
    json_key(writer, "duration_ms");
    json_number(writer, (double)((summary->end_ns - summary->start_ns) / (NS_PER_S / US_PER_S)) / 1000);
    json_member_string(writer, "status", summary->is_error ? "error" : "ok");
    json_member_integer(writer, "spans", (int64_t)summary->span_count);
    json_object_end(writer);
}

enum err traces_list(struct call *call)
{
    struct http_request *request = &call->exchange->request;
    struct trace_summary *summaries;
    struct text limit, of;
    struct json_writer writer;
    int64_t max = LIMIT_DEFAULT;
    size_t count;
    enum err err = http_query(request, "limit", &limit);
    if (!err)
        err = http_query(request, "of", &of);
    if (!err)
        err = read_limit(call, limit, &max);
    if (!err)
        err = trace_recent(of, (size_t)max, call_arena(call), &summaries, &count);
    if (err)
        return err;
    call_header(call, "Cache-Control", "no-store");
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_key(&writer, "traces");
    json_array_begin(&writer);
    for (size_t i = 0; i < count; i++)
        write_summary(&writer, &summaries[i]);
    json_array_end(&writer);
    json_object_end(&writer);
    return ERR_NONE;
}

enum err traces_show(struct call *call)
{
    struct http_response *response = &call->exchange->response;
    enum err err = trace_recall(call_path(call, "id"), call_arena(call), &response->body);
    if (err == ERR_INVALID)
        return call_refuse(call, err, NULL, "A trace id is 32 hexadecimal digits.");
    if (err)
        return err;
    response->status = 200;
    call_header(call, "Cache-Control", "no-store");
    return ERR_NONE;
}
