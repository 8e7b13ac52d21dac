/*
 * Routes: which row of a table answers a method and a path.
 *
 * A pattern is literal segments and {names}: "/v1/orders/{id}/history". A path is matched segment by segment, each
 * percent-decoded on its own, so that an encoded slash stays inside its segment. Literal segments win over names, from
 * the left and before the method is looked at. No normalising: "//", "." and ".." as a segment, and a slash at the end
 * match nothing. GET rows answer HEAD as well; there are no rows for HEAD.
 *
 * The table of patterns is the caller's, in rows of any size that start with a struct route; it must outlive the
 * router. A router is immutable once made: any thread.
 */
#ifndef TANDEM_NET_ROUTE_H
#define TANDEM_NET_ROUTE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "net/http.h"

enum { ROUTE_MAX_SEGMENTS = 8, ROUTE_MAX_NAMES = 4 };

struct route {
    enum http_method method;
    const char *pattern;
};

struct route_match {
    size_t row;                                  /* index in the table */
    struct http_param names[ROUTE_MAX_NAMES];    /* decoded, in the arena */
    size_t name_count;
    unsigned allowed;                            /* with ERR_METHOD: bits 1 << enum http_method that do apply */
};

struct router;

/** rows are row_size apart. ERR_CONFIG with a cause for a bad pattern or two rows that are the same; ERR_MEMORY. */
enum err must_check router_new(const void *rows, size_t row_count, size_t row_size, struct router **ret);
void router_free(struct router *router);

/** ERR_NOT_FOUND; ERR_METHOD with ret->allowed set; ERR_MALFORMED for bad percent-encoding; ERR_MEMORY. */
enum err must_check router_match(const struct router *router, enum http_method method, struct text path,
                                 struct arena *arena, struct route_match *ret);

/** Writes "GET, HEAD, POST" for a set of methods; returns out. HEAD goes with GET, OPTIONS is not told. */
enum { ROUTE_ALLOW_SIZE = 64 };
char *route_allow(unsigned allowed, char out[static ROUTE_ALLOW_SIZE]);

#endif
