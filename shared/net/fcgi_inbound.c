#include "config.h"

#include "net/fcgi_inbound.h"

static enum err params_count(struct text stream, unsigned max_count, size_t *ret_count)
{
    struct text name, value;
    size_t offset = 0, count = 0;
    enum err err;
    while ((err = fcgi_wire_pair_next(stream, &offset, &name, &value)) == ERR_NONE)
        if (++count > max_count)
            return err_because(ERR_HEADERS_TOO_LARGE, "more than %u parameters", max_count);
    if (err != ERR_NOT_FOUND)
        return err_because(ERR_MALFORMED, "the parameters are cut");
    *ret_count = count;
    return ERR_NONE;
}

static enum err params_fill(struct fcgi_inbound *inbound, const struct fcgi_limits *limits)
{
    struct http_request *request = inbound->request;
    struct text stream = buf_text(&inbound->params);
    size_t offset = 0, count = 0;
    enum err err = params_count(stream, limits->params_max_count, &count);
    if (err)
        return err;
    struct http_param *params = arena_alloc(&request->arena, count * sizeof *params);
    if (!params)
        return err_because(ERR_MEMORY, "there is no memory for parameters");
    for (size_t i = 0; i < count && !err; i++)
        err = fcgi_wire_pair_next(stream, &offset, &params[i].name, &params[i].value);
    request->params = params;
    request->param_count = count;
    return err;
}

enum err fcgi_content_length(struct text value, size_t max_bytes, bool *ret_absent, size_t *ret_length)
{
    int64_t length = 0;
    if (value.length && (text_to_int(value, &length) || length < 0))
        return err_because(ERR_MALFORMED, "CONTENT_LENGTH is not a length");
    if ((uint64_t)length > max_bytes)
        return err_because(ERR_TOO_LARGE, "a body of %lld bytes, above the limit", (long long)length);
    *ret_absent = !value.length;
    *ret_length = (size_t)length;
    return ERR_NONE;
}

enum err fcgi_inbound_params_end(struct fcgi_inbound *inbound, const struct fcgi_limits *limits)
{
    struct http_request *request = inbound->request;
    bool absent;
    enum err err = params_fill(inbound, limits);
    if (!err)
        err = http_request_line(request);
    if (!err)
        err = fcgi_content_length(http_param(request, "CONTENT_LENGTH"), limits->body_max_bytes, &absent,
                                  &inbound->content_length);
    if (!err)
        request->body = absent ? TEXT_NONE : TEXT("");
    return err;
}

enum err fcgi_inbound_body_end(struct fcgi_inbound *inbound)
{
    if (inbound->body.length != inbound->content_length)
        return err_because(ERR_MALFORMED, "less body than CONTENT_LENGTH says");
    if (inbound->body.length)
        inbound->request->body = buf_text(&inbound->body);
    return ERR_NONE;
}
