/* Pages of a list: limit and cursor in, next_cursor out. A cursor is base64url of the key the page ended with. */
#include "config.h"

#include <sodium.h>

#include "app/call.h"

enum { CURSOR_KEY_MAX = 256, CURSOR_MAX = CURSOR_KEY_MAX * 4 / 3 + 4 };

static enum err read_limit(struct call *call, struct text given, int64_t *ret)
{
    int64_t most = call_setting(call, OPTION_PAGE_LIMIT_MAX);
    if (!given.at) {
        *ret = call_setting(call, OPTION_PAGE_LIMIT_DEFAULT);
        return ERR_NONE;
    }
    if (text_to_int(given, ret) != ERR_NONE || *ret < 1 || *ret > most)
        return call_refuse(call, ERR_INVALID, NULL,
                           arena_printf(call_arena(call), "limit is a number from 1 to %lld.", (long long)most));
    return ERR_NONE;
}

static enum err read_cursor(struct call *call, struct text given, struct text *ret)
{
    if (!given.at) {
        *ret = TEXT("");
        return ERR_NONE;
    }
    char *key = arena_alloc(call_arena(call), CURSOR_KEY_MAX);
    size_t length;
    if (!key)
        return ERR_MEMORY;
    if (sodium_base642bin((unsigned char *)key, CURSOR_KEY_MAX, given.at, given.length, NULL, &length, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        given.length == 0 || !text_is_utf8((struct text){key, length}))
        return call_refuse(call, ERR_INVALID, NULL, "cursor is not one that this list gave out.");
    *ret = (struct text){key, length};
    return ERR_NONE;
}

enum err call_page(struct call *call, struct page *ret)
{
    struct http_request *request = &call->exchange->request;
    struct text limit, cursor;
    enum err err = http_query(request, "limit", &limit);
    if (!err)
        err = http_query(request, "cursor", &cursor);
    if (!err)
        err = read_limit(call, limit, &ret->limit);
    if (!err)
        err = read_cursor(call, cursor, &ret->after);
    return err;
}

void call_page_next(struct call *call, struct json_writer *writer, struct text last_key)
{
    char cursor[CURSOR_MAX];
    (void)call;
    if (!last_key.at || last_key.length > CURSOR_KEY_MAX) {
        json_member_text(writer, "next_cursor", TEXT_NONE);
        return;
    }
    sodium_bin2base64(cursor, sizeof cursor, (const unsigned char *)last_key.at, last_key.length,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    json_member_string(writer, "next_cursor", cursor);
}
