#include "config.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/json_document.h"

/* Where a value stands: a chain on the stack, turned into a pointer only for a fault. */
struct place {
    const struct place *above;   /* NULL at the root */
    const char *name;          /* NULL for an element */
    size_t index;
};

struct reader {
    struct arena *arena;
    struct json_faults *faults;
    bool lenient;
    bool out_of_memory;
};

/* ---- faults ---- */

void json_fault_add(struct json_faults *faults, struct text pointer, const char *reason)
{
    if (faults->count < JSON_MAX_FAULTS)
        faults->list[faults->count++] = (struct json_fault){pointer, reason};
}

static bool is_full(const struct reader *reader)
{
    return reader->faults->count == JSON_MAX_FAULTS || reader->out_of_memory;
}

/* Writes one reference token (RFC 6901, 3) so that it ends before `end`, and returns its start; without `to` it only
 * measures. */
static size_t put_token(const struct place *place, char *to, size_t end)
{
    if (!place->name) {
        size_t index = place->index;
        do {
            end--;
            if (to)
                to[end] = (char)('0' + index % 10);
            index /= 10;
        } while (index > 0);
    } else {
        for (size_t i = strlen(place->name); i > 0; i--) {
            char c = place->name[i - 1];
            bool escaped = c == '~' || c == '/';
            end -= escaped ? 2 : 1;
            if (to)
                to[end] = escaped ? '~' : c;
            if (to && escaped)
                to[end + 1] = c == '~' ? '0' : '1';
        }
    }
    end--;
    if (to)
        to[end] = '/';
    return end;
}

static struct text pointer_to(struct reader *reader, const struct place *place)
{
    const size_t far = SIZE_MAX / 2;
    size_t start = far;

    for (const struct place *step = place; step->above; step = step->above)
        start = put_token(step, NULL, start);
    size_t length = far - start, end = length;
    char *out = arena_alloc(reader->arena, length);
    if (!out)
        return TEXT_NONE;
    for (const struct place *step = place; step->above; step = step->above)
        end = put_token(step, out, end);
    assert(end == 0);
    return (struct text){out, length};
}

/* reason may be NULL: it could not be made. */
static void fault(struct reader *reader, const struct place *place, const char *reason)
{
    if (is_full(reader))
        return;
    struct text pointer = pointer_to(reader, place);
    if (!pointer.at || !reason) {
        reader->out_of_memory = true;
        return;
    }
    json_fault_add(reader->faults, pointer, reason);
}

/* ---- values ---- */

static void fault_of_count(struct reader *reader, const struct place *place, const struct json_field *field,
                           const char *unit)
{
    int64_t last = field->max ? field->max : field->min;
    const char *plural = last == 1 ? "" : "s";
    char *reason;

    if (field->max == 0 || field->min == 0 || field->min == field->max) {
        const char *how = field->max == 0 ? "at least" : field->min == 0 ? "at most" : "exactly";
        reason = arena_printf(reader->arena, "must have %s %" PRId64 " %s%s", how, last, unit, plural);
    } else {
        reason = arena_printf(reader->arena, "must have %" PRId64 " to %" PRId64 " %ss", field->min, last, unit);
    }
    fault(reader, place, reason);
}

static bool count_fits(size_t count, const struct json_field *field)
{
    return count >= (uint64_t)field->min && (field->max == 0 || count <= (uint64_t)field->max);
}

static void read_text(struct reader *reader, const struct place *place, const struct json_field *field,
                      struct json_object *value, void *out)
{
    if (!json_object_is_type(value, json_type_string)) {
        fault(reader, place, "must be a string");
        return;
    }
    struct text text = {json_object_get_string(value), (size_t)json_object_get_string_len(value)};
    if (!count_fits(text_utf8_count(text), field)) {
        fault_of_count(reader, place, field, "character");
        return;
    }
    if (field->accepts && !field->accepts(text)) {
        assert(field->rule);
        fault(reader, place, field->rule);
        return;
    }
    text = arena_text(reader->arena, text);
    if (!text.at) {
        reader->out_of_memory = true;
        return;
    }
    *(struct text *)out = text;
}

static void fault_of_range(struct reader *reader, const struct place *place, const struct json_field *field)
{
    char *reason;

    if (field->max == INT64_MAX)
        reason = arena_printf(reader->arena, "must be at least %" PRId64, field->min);
    else if (field->min == INT64_MIN)
        reason = arena_printf(reader->arena, "must be at most %" PRId64, field->max);
    else
        reason = arena_printf(reader->arena, "must be from %" PRId64 " to %" PRId64, field->min, field->max);
    fault(reader, place, reason);
}

static void read_integer(struct reader *reader, const struct place *place, const struct json_field *field,
                         struct json_object *value, void *out)
{
    if (!json_object_is_type(value, json_type_int)) {
        fault(reader, place, "must be an integer");
        return;
    }
    int64_t integer = json_object_get_int64(value);
    bool limited = field->min != 0 || field->max != 0;
    if (limited && (integer < field->min || integer > field->max)) {
        fault_of_range(reader, place, field);
        return;
    }
    *(int64_t *)out = integer;
}

static void read_boolean(struct reader *reader, const struct place *place, struct json_object *value, void *out)
{
    if (!json_object_is_type(value, json_type_boolean)) {
        fault(reader, place, "must be true or false");
        return;
    }
    *(bool *)out = json_object_get_boolean(value);
}

static void read_object(struct reader *reader, const struct place *place, const struct json_field *fields,
                        struct json_object *value, void *out);

static void read_array(struct reader *reader, const struct place *place, const struct json_field *field,
                       struct json_object *value, void *out)
{
    if (!json_object_is_type(value, json_type_array)) {
        fault(reader, place, "must be an array");
        return;
    }
    struct json_array array = {.count = json_object_array_length(value)};
    if (!count_fits(array.count, field)) {
        fault_of_count(reader, place, field, "element");
        return;
    }
    assert(field->element_size > 0);
    array.elements = arena_calloc(reader->arena, array.count, field->element_size);
    if (!array.elements) {
        reader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < array.count && !is_full(reader); i++) {
        struct place inner = {.above = place, .index = i};
        read_object(reader, &inner, field->fields, json_object_array_get_idx(value, i),
                    (char *)array.elements + i * field->element_size);
    }
    *(struct json_array *)out = array;
}

static void read_field(struct reader *reader, const struct place *place, const struct json_field *field,
                       struct json_object *value, void *out)
{
    switch (field->type) {
    case JSON_TEXT:
        read_text(reader, place, field, value, out);
        break;
    case JSON_INTEGER:
        read_integer(reader, place, field, value, out);
        break;
    case JSON_BOOLEAN:
        read_boolean(reader, place, value, out);
        break;
    case JSON_OBJECT:
        read_object(reader, place, field->fields, value, out);
        break;
    case JSON_ARRAY:
        read_array(reader, place, field, value, out);
        break;
    }
}

static bool is_known(const struct json_field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return true;
    return false;
}

static void refuse_unknown(struct reader *reader, const struct place *place, const struct json_field *fields,
                           struct json_object *object)
{
    json_object_object_foreach(object, key, member)
    {
        (void)member;
        if (is_full(reader))
            return;
        if (!is_known(fields, key)) {
            struct place inner = {.above = place, .name = key};
            fault(reader, &inner, "is not known here");
        }
    }
}

static void read_object(struct reader *reader, const struct place *place, const struct json_field *fields,
                        struct json_object *value, void *out)
{
    if (!json_object_is_type(value, json_type_object)) {
        fault(reader, place, "must be an object");
        return;
    }
    for (const struct json_field *field = fields; field->name; field++) {
        struct place inner = {.above = place, .name = field->name};
        struct json_object *member = NULL;
        json_object_object_get_ex(value, field->name, &member);
        if (member)
            read_field(reader, &inner, field, member, (char *)out + field->offset);
        else if (field->required)
            fault(reader, &inner, "is required");
    }
    if (!reader->lenient)
        refuse_unknown(reader, place, fields, value);
}

/* ---- the two entrances ---- */

static enum err read_document(struct reader *reader, const struct json_document *document,
                              const struct json_field *fields, void *out)
{
    const struct place root = {.above = NULL};

    reader->faults->count = 0;
    read_object(reader, &root, fields, document->root, out);
    if (reader->out_of_memory)
        return err_because(ERR_MEMORY, "JSON: no room to read it into");
    if (reader->faults->count > 0) {
        const struct json_fault *first = &reader->faults->list[0];
        return err_because(ERR_INVALID, "JSON: %zu faults, the first \"%.*s\" %s", reader->faults->count,
                           TEXT_ARGS(first->pointer), first->reason);
    }
    return ERR_NONE;
}

enum err json_read(const struct json_document *document, const struct json_field *fields, struct arena *arena,
                   void *out, struct json_faults *faults)
{
    struct reader reader = {.arena = arena, .faults = faults};

    return read_document(&reader, document, fields, out);
}

enum err json_read_lenient(const struct json_document *document, const struct json_field *fields, struct arena *arena,
                           void *out, struct json_faults *faults)
{
    struct reader reader = {.arena = arena, .faults = faults, .lenient = true};

    return read_document(&reader, document, fields, out);
}
