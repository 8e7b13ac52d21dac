#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "net/route.h"

struct segment {
    struct text text;      /* the literal, or the name without its braces */
    bool is_name;
};

struct pattern {
    enum http_method method;
    size_t row;
    size_t segment_count;  /* "/" has none */
    struct segment segments[ROUTE_MAX_SEGMENTS];
};

struct router {
    size_t count;
    struct pattern patterns[];   /* those of one shape stand together; literals before names */
};

/* ---- the table ---- */

static bool is_word(struct text text, bool (*accepts)(char))
{
    for (size_t i = 0; i < text.length; i++)
        if (!accepts(text.at[i]))
            return false;
    return text.length > 0;
}

static bool is_name_character(char c)
{
    return islower((unsigned char)c) || isdigit((unsigned char)c) || c == '_';
}

/* RFC 3986, 3.3: what stands for itself in a path */
static bool is_literal_character(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("-._~!$&'()*+,;=:@", c));
}

static bool is_dots(struct text text)
{
    return text_equal(text, TEXT(".")) || text_equal(text, TEXT(".."));
}

static bool parse_segment(struct text text, struct segment *segment)
{
    if (text.length > 2 && text.at[0] == '{' && text.at[text.length - 1] == '}') {
        *segment = (struct segment){{text.at + 1, text.length - 2}, true};
        return is_word(segment->text, is_name_character);
    }
    *segment = (struct segment){text, false};
    return is_word(text, is_literal_character) && !is_dots(text);
}

/* At most ROUTE_MAX_NAMES, no name twice. */
static bool names_are_fine(const struct pattern *pattern)
{
    size_t count = 0;

    for (size_t i = 0; i < pattern->segment_count; i++) {
        count += pattern->segments[i].is_name;
        for (size_t j = 0; j < i; j++)
            if (pattern->segments[i].is_name && pattern->segments[j].is_name
                && text_equal(pattern->segments[i].text, pattern->segments[j].text))
                return false;
    }
    return count <= ROUTE_MAX_NAMES;
}

static enum err parse_pattern(const struct route *route, struct pattern *pattern)
{
    struct text rest = text_of(route->pattern);

    if (route->method == HTTP_HEAD || route->method >= HTTP_OTHER)
        return err_because(ERR_CONFIG, "route %s: no row can be for %s", route->pattern,
                           http_method_name(route->method));
    if (!text_starts(rest, TEXT("/")))
        return err_because(ERR_CONFIG, "route %s: a pattern starts with /", route->pattern);
    pattern->method = route->method;
    (void)text_split(&rest, '/');
    if (rest.length == 0)
        return ERR_NONE;
    while (rest.at) {
        struct text text = text_split(&rest, '/');

        if (pattern->segment_count == ROUTE_MAX_SEGMENTS)
            return err_because(ERR_CONFIG, "route %s: more than %d segments", route->pattern, ROUTE_MAX_SEGMENTS);
        if (!parse_segment(text, &pattern->segments[pattern->segment_count++]))
            return err_because(ERR_CONFIG, "route %s: bad segment \"%.*s\"", route->pattern, TEXT_ARGS(text));
    }
    if (!names_are_fine(pattern))
        return err_because(ERR_CONFIG, "route %s: more than %d names, or one twice", route->pattern, ROUTE_MAX_NAMES);
    return ERR_NONE;
}

static int compare_texts(struct text a, struct text b)
{
    int order = memcmp(a.at, b.at, a.length < b.length ? a.length : b.length);

    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* The order of shapes: at the first difference in kind, from the left, the literal comes first. What a name is called
   is no part of the shape. */
static int compare_shapes(const struct pattern *a, const struct pattern *b)
{
    if (a->segment_count != b->segment_count)
        return a->segment_count < b->segment_count ? -1 : 1;
    for (size_t i = 0; i < a->segment_count; i++)
        if (a->segments[i].is_name != b->segments[i].is_name)
            return a->segments[i].is_name ? 1 : -1;
    for (size_t i = 0; i < a->segment_count; i++) {
        int order = a->segments[i].is_name ? 0 : compare_texts(a->segments[i].text, b->segments[i].text);
        if (order)
            return order;
    }
    return 0;
}

static int compare_patterns(const void *left, const void *right)
{
    const struct pattern *a = left, *b = right;
    int order = compare_shapes(a, b);

    return order ? order : (int)a->method - (int)b->method;
}

enum err router_new(const void *rows, size_t row_count, size_t row_size, struct router **ret)
{
    struct router *router = calloc(1, sizeof *router + row_count * sizeof router->patterns[0]);
    enum err err = ERR_NONE;

    if (!router)
        return err_because(ERR_MEMORY, "no memory for %zu routes", row_count);
    router->count = row_count;
    for (size_t i = 0; i < row_count; i++) {
        router->patterns[i].row = i;
        if ((err = parse_pattern((const void *)((const char *)rows + i * row_size), &router->patterns[i])))
            goto out;
    }
    qsort(router->patterns, row_count, sizeof router->patterns[0], compare_patterns);
    for (size_t i = 1; i < row_count; i++)
        if (compare_patterns(&router->patterns[i - 1], &router->patterns[i]) == 0) {
            err = err_because(ERR_CONFIG, "routes %zu and %zu are the same", router->patterns[i - 1].row,
                              router->patterns[i].row);
            goto out;
        }
    *ret = router;
    router = NULL;
out:
    router_free(router);
    return err;
}

void router_free(struct router *router)
{
    free(router);
}

/* ---- matching ---- */

struct path {
    size_t segment_count;
    struct text segments[ROUTE_MAX_SEGMENTS];
};

static bool is_plain(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] == '%' || (signed char)text.at[i] <= 0)
            return false;
    return true;
}

/* Segments that need decoding go into the arena; the others stay where they are. */
static enum err decode_segment(struct text *segment, struct arena *arena)
{
    size_t length;

    if (is_plain(*segment))
        return ERR_NONE;
    char *out = arena_alloc(arena, segment->length);
    if (!out)
        return err_because(ERR_MEMORY, "no room to decode the path");
    enum err err = text_percent_decode(*segment, false, out, &length);
    if (err)
        return err;
    *segment = (struct text){out, length};
    return ERR_NONE;
}

/* ERR_NOT_FOUND for what no pattern can match: too many segments, empty ones, dots. */
static enum err split_path(struct text rest, struct arena *arena, struct path *path)
{
    enum err err;

    path->segment_count = 0;
    if (!text_starts(rest, TEXT("/")))
        return ERR_NOT_FOUND;
    (void)text_split(&rest, '/');
    if (rest.length == 0)
        return ERR_NONE;
    while (rest.at) {
        struct text segment = text_split(&rest, '/');

        if (segment.length == 0 || path->segment_count == ROUTE_MAX_SEGMENTS)
            return ERR_NOT_FOUND;
        if ((err = decode_segment(&segment, arena)))
            return err;
        if (is_dots(segment))
            return ERR_NOT_FOUND;
        path->segments[path->segment_count++] = segment;
    }
    return ERR_NONE;
}

static bool fits(const struct pattern *pattern, const struct path *path)
{
    if (pattern->segment_count != path->segment_count)
        return false;
    for (size_t i = 0; i < path->segment_count; i++)
        if (!pattern->segments[i].is_name && !text_equal(pattern->segments[i].text, path->segments[i]))
            return false;
    return true;
}

static void fill_match(const struct pattern *pattern, const struct path *path, struct route_match *ret)
{
    ret->row = pattern->row;
    ret->allowed = 0;
    ret->name_count = 0;
    for (size_t i = 0; i < path->segment_count; i++)
        if (pattern->segments[i].is_name)
            ret->names[ret->name_count++] = (struct http_param){pattern->segments[i].text, path->segments[i]};
}

enum err router_match(const struct router *router, enum http_method method, struct text path, struct arena *arena,
                      struct route_match *ret)
{
    const struct pattern *pattern = router->patterns, *first, *end = router->patterns + router->count;
    unsigned allowed = 0;
    struct path split;
    enum err err = split_path(path, arena, &split);

    if (err)
        return err;
    while (pattern < end && !fits(pattern, &split))
        pattern++;
    /* The rows of the first shape that fits are the resource; those of later shapes are others. */
    for (first = pattern; pattern < end && compare_shapes(first, pattern) == 0; pattern++) {
        if (pattern->method == method || (pattern->method == HTTP_GET && method == HTTP_HEAD)) {
            fill_match(pattern, &split, ret);
            return ERR_NONE;
        }
        allowed |= 1u << pattern->method;
    }
    if (!allowed)
        return ERR_NOT_FOUND;
    ret->allowed = allowed & 1u << HTTP_GET ? allowed | 1u << HTTP_HEAD : allowed;
    return ERR_METHOD;
}

char *route_allow(unsigned allowed, char out[static ROUTE_ALLOW_SIZE])
{
    size_t length = 0;

    if (allowed & 1u << HTTP_GET)
        allowed |= 1u << HTTP_HEAD;
    out[0] = '\0';
    for (enum http_method method = 0; method < HTTP_OPTIONS; method++) {
        if (!(allowed & 1u << method))
            continue;
        const char *name = http_method_name(method);
        size_t need = (length ? 2 : 0) + strlen(name);

        if (length + need >= ROUTE_ALLOW_SIZE)
            break;
        if (length)
            memcpy(out + length, ", ", 2);
        memcpy(out + length + need - strlen(name), name, strlen(name) + 1);
        length += need;
    }
    return out;
}
