#include "config.h"

#include <ctype.h>
#include <string.h>

#include "net/http.h"

static const char *const method_names[HTTP_METHODS] = {
    [HTTP_GET] = "GET",       [HTTP_HEAD] = "HEAD",       [HTTP_POST] = "POST",       [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",   [HTTP_DELETE] = "DELETE",   [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "OTHER",
};

enum http_method http_method_of(struct text token)
{
    for (enum http_method method = 0; method < HTTP_OTHER; method++)
        if (text_equal_string(token, method_names[method]))
            return method;
    return HTTP_OTHER;
}

const char *http_method_name(enum http_method method)
{
    return method < HTTP_METHODS ? method_names[method] : method_names[HTTP_OTHER];
}

struct text http_param(const struct http_request *request, const char *name)
{
    struct text wanted = text_of(name);

    for (size_t i = 0; i < request->param_count; i++)
        if (text_equal(request->params[i].name, wanted))
            return request->params[i].value;
    return TEXT_NONE;
}

/* Whether a CGI variable's name, without its "HTTP_", spells this header name. */
static bool cgi_spells(struct text cgi_name, struct text name)
{
    if (cgi_name.length != name.length)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];

        if (cgi_name.at[i] != (c == '-' ? '_' : toupper((unsigned char)c)))
            return false;
    }
    return true;
}

struct text http_header(const struct http_request *request, const char *name)
{
    struct text wanted = text_of(name), prefix = TEXT("HTTP_");

    /* RFC 3875, 4.1: these two have variables of their own, which fronts also send, empty, when there was no field. */
    if (text_equal_nocase(wanted, TEXT("Content-Type")) || text_equal_nocase(wanted, TEXT("Content-Length"))) {
        struct text value = http_param(request, wanted.length == 12 ? "CONTENT_TYPE" : "CONTENT_LENGTH");
        return value.length > 0 ? value : TEXT_NONE;
    }
    for (size_t i = 0; i < request->param_count; i++) {
        struct text param = request->params[i].name;

        if (!text_starts(param, prefix))
            continue;
        param.at += prefix.length;
        param.length -= prefix.length;
        if (cgi_spells(param, wanted))
            return request->params[i].value;
    }
    return TEXT_NONE;
}

/* RFC 9110, 5.6.2 */
static bool is_token(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!isalnum((unsigned char)text.at[i]) && (!text.at[i] || !strchr("!#$%&'*+-.^_`|~", text.at[i])))
            return false;
    return text.length > 0;
}

/* Cuts "http://host" off an absolute URI; what is left may be empty, "?query" or "/path?query". */
static bool cut_authority(struct text *uri)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        struct text scheme = text_of(schemes[i]);
        size_t at = scheme.length;

        if (!text_starts_nocase(*uri, scheme))
            continue;
        while (at < uri->length && uri->at[at] != '/' && uri->at[at] != '?')
            at++;
        *uri = (struct text){uri->at + at, uri->length - at};
        return true;
    }
    return false;
}

enum err http_request_line(struct http_request *request)
{
    struct text method = http_param(request, "REQUEST_METHOD");
    struct text uri = http_param(request, "REQUEST_URI");
    struct text query = TEXT_NONE, path;

    if (!is_token(method))
        return err_because(ERR_MALFORMED, "REQUEST_METHOD is missing or no token");
    if (uri.length == 0 || !text_is_visible_ascii(uri) || text_find(uri, '#') >= 0)
        return err_because(ERR_MALFORMED, "REQUEST_URI is missing or has characters that no URI has");
    bool absolute = uri.at[0] != '/';
    if (absolute && !cut_authority(&uri))
        return err_because(ERR_MALFORMED, "REQUEST_URI is neither a path nor an http URI");
    query = uri;
    path = text_split(&query, '?');
    request->method = http_method_of(method);
    request->path = path.length > 0 ? path : TEXT("/");
    request->query = query;
    return ERR_NONE;
}

bool http_is_json(const struct http_request *request)
{
    struct text rest = http_header(request, "Content-Type");
    struct text type = text_trim(text_split(&rest, ';'));
    struct text suffix = TEXT("+json");
    ptrdiff_t slash = text_find(type, '/');

    if (text_equal_nocase(type, TEXT("application/json")))
        return true;
    if (slash <= 0 || type.length <= (size_t)slash + 1 + suffix.length)
        return false;
    return text_equal_nocase((struct text){type.at + type.length - suffix.length, suffix.length}, suffix);
}

/* A name or a value of the query string, into the arena. */
static enum err decode(struct arena *arena, struct text encoded, struct text *ret)
{
    char *out = arena_alloc(arena, encoded.length + 1);
    size_t length;

    if (!out)
        return err_because(ERR_MEMORY, "no room to decode the query string");
    enum err err = text_percent_decode(encoded, true, out, &length);
    if (err)
        return err;
    out[length] = '\0';
    *ret = (struct text){out, length};
    return ERR_NONE;
}

/* Names are nearly always plain, and are then compared where they stand. */
static enum err query_name_is(struct arena *arena, struct text name, struct text wanted, bool *ret)
{
    if (text_find(name, '%') >= 0 || text_find(name, '+') >= 0) {
        enum err err = decode(arena, name, &name);
        if (err)
            return err;
    }
    *ret = text_equal(name, wanted);
    return ERR_NONE;
}

enum err http_query(struct http_request *request, const char *name, struct text *ret)
{
    struct text rest = request->query, found = TEXT_NONE, wanted = text_of(name);
    enum err err;

    while (rest.at) {
        struct text value = text_split(&rest, '&');
        struct text key = text_split(&value, '=');
        bool is_wanted;

        if ((err = query_name_is(&request->arena, key, wanted, &is_wanted)))
            return err;
        if (!is_wanted)
            continue;
        if (found.at)
            return err_because(ERR_MALFORMED, "the query parameter \"%s\" is given twice", name);
        if ((err = decode(&request->arena, value, &found)))
            return err;
    }
    *ret = found;
    return ERR_NONE;
}
