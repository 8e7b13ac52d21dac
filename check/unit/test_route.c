/* Routes: what is a pattern, which row answers, and what happens to what no row answers. */
#include "config.h"

#include <string.h>

#include "check/harness/suite.h"
#include "net/route.h"

struct row {
    struct route route;
    int more;              /* rows may be longer than a struct route */
};

static const struct row table[] = {
    {{HTTP_GET, "/"}, 0},
    {{HTTP_GET, "/v1/users/{id}"}, 1},
    {{HTTP_PATCH, "/v1/users/{id}"}, 2},
    {{HTTP_GET, "/v1/users/me"}, 3},
    {{HTTP_POST, "/v1/users"}, 4},
    {{HTTP_GET, "/v1/{kind}/me/{tail}"}, 5},
    {{HTTP_PUT, "/v1/users/{id}/{tail}"}, 6},
    {{HTTP_DELETE, "/v1/users/{user_id}"}, 7},
    {{HTTP_GET, "/a/{b}/{c}/{d}/{e}/f/g/h"}, 8},
};

static struct router *router;
static struct arena arena;
static struct route_match match;

static void begin(void)
{
    CU_ASSERT_EQUAL_FATAL(router_new(table, sizeof table / sizeof table[0], sizeof table[0], &router), ERR_NONE);
    arena_init(&arena, 4096);
}

static void end(void)
{
    router_free(router);
    arena_fini(&arena);
}

static enum err find(enum http_method method, const char *path)
{
    return router_match(router, method, text_of(path), &arena, &match);
}

static void test_rows(void)
{
    begin();
    CU_ASSERT_EQUAL(find(HTTP_GET, "/"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 0);
    CU_ASSERT_EQUAL(find(HTTP_PATCH, "/v1/users/7"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 2);
    CU_ASSERT_EQUAL(match.name_count, 1);
    CU_ASSERT(text_equal(match.names[0].name, TEXT("id")));
    CU_ASSERT(text_equal(match.names[0].value, TEXT("7")));
    CU_ASSERT_EQUAL(find(HTTP_DELETE, "/v1/users/7"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 7);
    CU_ASSERT(text_equal(match.names[0].name, TEXT("user_id")));
    CU_ASSERT_EQUAL(find(HTTP_GET, "/a/1/2/3/4/f/g/h"), ERR_NONE);
    CU_ASSERT_EQUAL(match.name_count, 4);
    CU_ASSERT(text_equal(match.names[3].value, TEXT("4")));
    CU_ASSERT_EQUAL(arena.total_bytes, 0);   /* nothing was encoded, nothing was allocated */
    end();
}

static void test_literals_win(void)
{
    begin();
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/me"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 3);
    CU_ASSERT_EQUAL(find(HTTP_PUT, "/v1/users/me/x"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 6);
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/items/me/x"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 5);
    CU_ASSERT_EQUAL(find(HTTP_PATCH, "/v1/users/me"), ERR_METHOD);
    end();
}

static void test_head_is_get(void)
{
    begin();
    CU_ASSERT_EQUAL(find(HTTP_HEAD, "/v1/users/7"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 1);
    CU_ASSERT_EQUAL(find(HTTP_HEAD, "/v1/users"), ERR_METHOD);
    end();
}

static void test_allowed(void)
{
    char allow[ROUTE_ALLOW_SIZE];

    begin();
    CU_ASSERT_EQUAL(find(HTTP_POST, "/v1/users/7"), ERR_METHOD);
    CU_ASSERT_STRING_EQUAL(route_allow(match.allowed, allow), "GET, HEAD, PATCH, DELETE");
    CU_ASSERT_EQUAL(find(HTTP_OTHER, "/v1/users"), ERR_METHOD);
    CU_ASSERT_STRING_EQUAL(route_allow(match.allowed, allow), "POST");
    CU_ASSERT_STRING_EQUAL(route_allow(0, allow), "");
    CU_ASSERT_STRING_EQUAL(route_allow(~0u, allow), "GET, HEAD, POST, PUT, PATCH, DELETE");
    end();
}

static void test_decoding(void)
{
    begin();
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/a%2Fb+%C3%A9"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 1);
    CU_ASSERT(text_equal(match.names[0].value, TEXT("a/b+\xc3\xa9")));
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/%75sers/%6de"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 3);
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/%7Bid%7D"), ERR_NONE);
    CU_ASSERT_EQUAL(match.row, 1);
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/%"), ERR_MALFORMED);
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/%00"), ERR_MALFORMED);
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/%ff"), ERR_MALFORMED);
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/\xff"), ERR_MALFORMED);
    arena_fini(&arena);
    arena_init(&arena, 0);
    CU_ASSERT_EQUAL(find(HTTP_GET, "/v1/users/%20"), ERR_MEMORY);
    end();
}

static void test_no_normalising(void)
{
    static const char *const nothing[] = {
        "", "v1", "//", "/v1", "/v1/users/", "/v1//users", "//v1/users", "/v1/users/.", "/v1/users/..",
        "/v1/users/%2e", "/v1/users/%2E%2e", "/v1/./users", "/V1/users", "/v1/users/1/2/3", "/1/2/3/4/5/6/7/8/9",
    };

    begin();
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        CU_ASSERT_EQUAL(find(HTTP_GET, nothing[i]), ERR_NOT_FOUND);
    end();
}

static enum err make(enum http_method method, const char *pattern)
{
    struct route route = {method, pattern};
    struct router *made = NULL;
    enum err err = router_new(&route, 1, sizeof route, &made);

    router_free(made);
    return err;
}

static void test_bad_patterns(void)
{
    static const char *const bad[] = {
        "", "v1", "//", "/v1/", "/v1//a", "/{}", "/{id", "/id}", "/a{id}", "/{id}/{id}", "/{Id}", "/a b", "/a%20",
        "/a?b", "/.", "/a/..", "/{a}/{b}/{c}/{d}/{e}", "/1/2/3/4/5/6/7/8/9",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(make(HTTP_GET, bad[i]), ERR_CONFIG);
    CU_ASSERT_EQUAL(make(HTTP_HEAD, "/"), ERR_CONFIG);
    CU_ASSERT_EQUAL(make(HTTP_OTHER, "/"), ERR_CONFIG);
    CU_ASSERT_EQUAL(make(HTTP_GET, "/{a}/{b}/{c}/{d}/5/6/7/8"), ERR_NONE);
}

static void test_same_rows(void)
{
    static const struct route rows[] = {{HTTP_GET, "/a/{x}"}, {HTTP_POST, "/a/{x}"}, {HTTP_GET, "/a/{y}"}};
    struct router *made = NULL;

    CU_ASSERT_EQUAL(router_new(rows, 3, sizeof rows[0], &made), ERR_CONFIG);
    CU_ASSERT_PTR_NULL(made);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "same"));
    CU_ASSERT_EQUAL_FATAL(router_new(rows, 0, sizeof rows[0], &made), ERR_NONE);
    arena_init(&arena, 0);
    CU_ASSERT_EQUAL(router_match(made, HTTP_GET, TEXT("/"), &arena, &match), ERR_NOT_FOUND);
    router_free(made);
}

static const struct suite_case cases[] = {
    {"a path finds its row and names", test_rows},
    {"literal segments win over names", test_literals_win},
    {"HEAD is answered by GET rows", test_head_is_get},
    {"a wrong method tells the right ones", test_allowed},
    {"segments are decoded each on its own", test_decoding},
    {"paths are not normalised", test_no_normalising},
    {"bad patterns are refused", test_bad_patterns},
    {"two rows that are the same are refused", test_same_rows},
};

int main(void)
{
    return suite_main("route", cases, sizeof cases / sizeof cases[0]);
}
