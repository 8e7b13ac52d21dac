/*
 * JSON: the scanner and json-c agree on what is JSON, reading fails only as documented, and what is written is read.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/json_write.h"
#include "check/fuzz/fuzz.h"

struct inner {
    struct text a;
    int64_t b;
};

struct outer {
    struct text a;
    int64_t b;
    bool c;
    struct inner d;
    struct json_array e;
};

static const struct json_field inner_fields[] = {
    {.name = "a", .type = JSON_TEXT, .required = true, .min = 1, .max = 5, .offset = offsetof(struct inner, a)},
    {.name = "b", .type = JSON_INTEGER, .min = -5, .max = 5, .offset = offsetof(struct inner, b)},
    {.name = NULL},
};

static const struct json_field outer_fields[] = {
    {.name = "a", .type = JSON_TEXT, .offset = offsetof(struct outer, a)},
    {.name = "b", .type = JSON_INTEGER, .offset = offsetof(struct outer, b)},
    {.name = "c", .type = JSON_BOOLEAN, .offset = offsetof(struct outer, c)},
    {.name = "d", .type = JSON_OBJECT, .fields = inner_fields, .offset = offsetof(struct outer, d)},
    {.name = "e",
     .type = JSON_ARRAY,
     .max = 50,
     .fields = inner_fields,
     .element_size = sizeof(struct inner),
     .offset = offsetof(struct outer, e)},
    {.name = NULL},
};

static void read_document(const struct json_document *document)
{
    struct arena arena;
    struct json_faults faults;
    struct outer outer = {.a = TEXT_NONE};

    arena_init(&arena, 65536);
    enum err err = json_read(document, outer_fields, &arena, &outer, &faults);
    assert(err == ERR_NONE || err == ERR_INVALID || err == ERR_MEMORY);
    assert(err == ERR_MEMORY || (err == ERR_INVALID) == (faults.count > 0));
    assert(faults.count <= JSON_MAX_FAULTS);
    for (size_t i = 0; i < faults.count; i++)
        assert(faults.list[i].pointer.at && text_is_utf8(faults.list[i].pointer) && *faults.list[i].reason);
    if (err == ERR_NONE) {
        assert(text_is_utf8(outer.a) && !(outer.a.length && memchr(outer.a.at, '\0', outer.a.length)));
        err = json_read_lenient(document, outer_fields, &arena, &outer, &faults);
        assert(err == ERR_NONE || err == ERR_MEMORY);
    }
    arena_fini(&arena);
}

static void write_text(struct text text)
{
    struct json_writer writer;
    struct buf buf;
    size_t members;

    buf_init(&buf, text.length * 6 + 2);
    json_writer_init(&writer, &buf);
    json_text(&writer, text);
    enum err err = buf_check(&buf);
    assert(err == ERR_NONE);
    err = json_check(buf_text(&buf), &members);
    assert((err == ERR_NONE) == (text_find(text, '\0') < 0));
    buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {(const char *)data, size};
    struct json_document *document = NULL;
    size_t members = 0;

    enum err checked = json_check(text, &members);
    enum err parsed = json_parse(text, &document);
    assert(checked == ERR_NONE || checked == ERR_MALFORMED);
    assert(checked == ERR_NONE || parsed == checked);
    assert(checked != ERR_NONE || parsed == ERR_NONE || strstr(err_cause(), "duplicate key"));
    assert(checked != ERR_NONE || text_is_utf8(text));
    if (parsed == ERR_NONE)
        read_document(document);
    json_free(document);
    write_text(text);
    return 0;
}
