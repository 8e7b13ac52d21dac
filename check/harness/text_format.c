#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "check/harness/text_format.h"

enum { NAME_SIZE = 64, STRING_MAX_BYTES = 16 * 1024 * 1024 };

struct reading {
    const char *at;
    bool failed;
};

static void fail(struct reading *reading, const char *what)
{
    if (!reading->failed)
        err_because(ERR_PROTOCOL, "%s at \"%.40s\"", what, reading->at);
    reading->failed = true;
}

static void skip_space(struct reading *reading)
{
    while (isspace((unsigned char)*reading->at))
        reading->at++;
}

static bool take(struct reading *reading, char c)
{
    skip_space(reading);
    if (*reading->at != c)
        return false;
    reading->at++;
    return true;
}

/* [A-Za-z0-9_.+-]* */
static void take_word(struct reading *reading, char out[static NAME_SIZE])
{
    size_t length = 0;
    skip_space(reading);
    while (length < NAME_SIZE - 1 && (isalnum((unsigned char)*reading->at) || strchr("_.+-", *reading->at))
           && *reading->at)
        out[length++] = *reading->at++;
    out[length] = '\0';
}

/* ---- what stands in lists, is hexadecimal, or a string for its 64 bits ---- */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(name, *names) == 0)
            return true;
    }
    return false;
}

static const char *const repeated[] = {"resource_spans", "scope_spans", "spans", "attributes", "events", "links",
                                       "values", NULL};
static const char *const ids[] = {"trace_id", "span_id", "parent_span_id", NULL};
static const char *const wide[] = {"int_value", "start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", NULL};

static const struct {
    const char *name;
    int number;
} enumerators[] = {
    {"SPAN_KIND_UNSPECIFIED", 0}, {"SPAN_KIND_INTERNAL", 1}, {"SPAN_KIND_SERVER", 2}, {"SPAN_KIND_CLIENT", 3},
    {"SPAN_KIND_PRODUCER", 4}, {"SPAN_KIND_CONSUMER", 5}, {"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1},
    {"STATUS_CODE_ERROR", 2},
};

/* trace_id to traceId */
static void camel_case(const char *name, char out[static NAME_SIZE])
{
    size_t length = 0;
    bool upper = false;
    for (; *name; name++) {
        if (*name != '_')
            out[length++] = upper ? (char)toupper((unsigned char)*name) : *name;
        upper = *name == '_';
    }
    out[length] = '\0';
}

static void add_field(struct json_object *into, const char *name, struct json_object *value)
{
    char key[NAME_SIZE];
    struct json_object *list;
    camel_case(name, key);
    if (!is_one_of(name, repeated)) {
        json_object_object_add(into, key, value);
        return;
    }
    if (!json_object_object_get_ex(into, key, &list)) {
        list = json_object_new_array();
        json_object_object_add(into, key, list);
    }
    json_object_array_add(list, value);
}

/* ---- values ---- */

static void add_escape(struct reading *reading, struct buf *out)
{
    static const char letters[] = "nrt\"'\\", meant[] = "\n\r\t\"'\\";
    char c = *reading->at++;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        buf_add_char(out, meant[letter - letters]);
    } else if (c >= '0' && c <= '3') {
        unsigned value = (unsigned)(c - '0');
        for (int i = 0; i < 2 && *reading->at >= '0' && *reading->at <= '7'; i++)
            value = value * 8 + (unsigned)(*reading->at++ - '0');
        buf_add_char(out, (char)value);
    } else {
        fail(reading, "an escape that is not known");
    }
}

static struct json_object *hexadecimal(struct text bytes)
{
    struct buf hex;
    buf_init(&hex, STRING_MAX_BYTES);
    for (size_t i = 0; i < bytes.length; i++)
        buf_addf(&hex, "%02x", (unsigned)(unsigned char)bytes.at[i]);
    struct json_object *value = json_object_new_string(buf_string(&hex));
    buf_fini(&hex);
    return value;
}

static struct json_object *read_string(struct reading *reading, const char *name)
{
    struct buf bytes;
    buf_init(&bytes, STRING_MAX_BYTES);
    while (*reading->at && *reading->at != '"' && !reading->failed) {
        if (*reading->at != '\\')
            buf_add_char(&bytes, *reading->at++);
        else if (reading->at++, *reading->at)
            add_escape(reading, &bytes);
    }
    if (!take(reading, '"'))
        fail(reading, "a string without an end");
    struct json_object *value = is_one_of(name, ids)
        ? hexadecimal(buf_text(&bytes))
        : json_object_new_string_len(bytes.data ? bytes.data : "", (int)bytes.length);
    buf_fini(&bytes);
    return value;
}

static struct json_object *read_scalar(struct reading *reading, const char *name)
{
    char word[NAME_SIZE], *end;
    if (take(reading, '"'))
        return read_string(reading, name);
    take_word(reading, word);
    for (size_t i = 0; i < sizeof enumerators / sizeof enumerators[0]; i++) {
        if (strcmp(word, enumerators[i].name) == 0)
            return json_object_new_int(enumerators[i].number);
    }
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        return json_object_new_boolean(word[0] == 't');
    if (is_one_of(name, wide))
        return json_object_new_string(word);
    int64_t number = strtoll(word, &end, 10);
    if (!*word || *end)
        fail(reading, "a value that is not known");
    return json_object_new_int64(number);
}

static struct json_object *read_message(struct reading *reading, char last)
{
    struct json_object *message = json_object_new_object();
    char name[NAME_SIZE];
    for (skip_space(reading); !reading->failed && *reading->at != last; skip_space(reading)) {
        take_word(reading, name);
        if (!isalpha((unsigned char)*name))
            fail(reading, "a field that the schema does not have");
        else if (take(reading, ':'))
            add_field(message, name, read_scalar(reading, name));
        else if (take(reading, '{'))
            add_field(message, name, read_message(reading, '}'));
        else
            fail(reading, "neither a value nor a message");
    }
    if (*reading->at)
        reading->at++;
    return message;
}

struct json_object *text_format_read(const char *printed)
{
    struct reading reading = {.at = printed};
    struct json_object *message = read_message(&reading, '\0');
    if (!reading.failed)
        return message;
    json_object_put(message);
    return NULL;
}
