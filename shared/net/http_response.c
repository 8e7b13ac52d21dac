#include "config.h"

#include "net/http.h"

enum { STATUS_END = 600 };

/* IANA, Hypertext Transfer Protocol (HTTP) Status Code Registry */
static const char *const reasons[STATUS_END] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

const char *http_reason(int status)
{
    return status >= 0 && status < STATUS_END && reasons[status] ? reasons[status] : "Unknown";
}

static bool has_control_character(struct text value)
{
    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return true;
    return false;
}

enum err http_header_add(struct http_request *request, struct http_response *response, const char *name,
                         struct text value)
{
    if (has_control_character(value))
        return err_because(ERR_INVALID, "the value of the header %s has a control character", name);
    if (response->header_count == HTTP_MAX_RESPONSE_HEADERS)
        return err_because(ERR_MEMORY, "no room for the header %s", name);
    struct text copy = arena_text(&request->arena, value.at ? value : TEXT(""));
    if (!copy.at)
        return err_because(ERR_MEMORY, "no memory for the header %s", name);
    response->headers[response->header_count++] = (struct http_param){text_of(name), copy};
    return ERR_NONE;
}

void http_response_reset(struct http_response *response)
{
    response->status = 0;
    response->header_count = 0;
    buf_reset(&response->body, response->body.max_bytes);
}

bool http_status_bodiless(int status)
{
    return (status >= 100 && status < 200) || status == 204 || status == 304;
}

/* A body that did not fit its ceiling must not go out cut, and a handler that set no status has not answered. */
static bool is_broken(const struct http_response *response)
{
    return response->body.failed || response->status == 0;
}

static void add_field(struct buf *out, struct text name, struct text value)
{
    buf_add_text(out, name);
    buf_add(out, ": ", 2);
    buf_add_text(out, value);
    buf_add(out, "\r\n", 2);
}

static void add_status(struct buf *out, int status)
{
    buf_add(out, "Status: ", 8);
    buf_add_int(out, status);
    buf_add_char(out, ' ');
    buf_add_string(out, http_reason(status));
    buf_add(out, "\r\n", 2);
}

static void add_content_length(struct buf *out, size_t length)
{
    buf_add(out, "Content-Length: ", 16);
    buf_add_int(out, (long long)length);
    buf_add(out, "\r\n", 2);
}

void http_response_head(const struct http_request *request, const struct http_response *response, struct buf *out)
{
    bool has_type = false;

    (void)request; /* HEAD is told what GET would be told, its length too (RFC 9110, 9.3.2) */
    if (is_broken(response)) {
        add_status(out, 500);
        add_content_length(out, 0);
        buf_add(out, "\r\n", 2);
        return;
    }
    add_status(out, response->status);
    for (size_t i = 0; i < response->header_count; i++) {
        add_field(out, response->headers[i].name, response->headers[i].value);
        has_type = has_type || text_equal_nocase(response->headers[i].name, TEXT("Content-Type"));
    }
    if (!http_status_bodiless(response->status)) {
        if (!has_type && response->body.length > 0)
            add_field(out, TEXT("Content-Type"), TEXT("application/json"));
        add_content_length(out, response->body.length);
    }
    buf_add(out, "\r\n", 2);
}

struct text http_response_payload(const struct http_request *request, const struct http_response *response)
{
    if (request->method == HTTP_HEAD || is_broken(response) || http_status_bodiless(response->status))
        return TEXT_NONE;
    return buf_text(&response->body);
}
