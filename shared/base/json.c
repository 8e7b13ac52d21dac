#include "config.h"

#include <limits.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/json_document.h"

/* Of the whole tree; JSON_MAX_DEPTH bounds the recursion. */
static size_t count_members(struct json_object *value)
{
    size_t count = 0;

    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            count += 1 + count_members(member);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    }
    return count;
}

/* Builds json-c's tree of a text that json_check() has accepted. */
static enum err build_tree(struct text text, struct json_object **ret_root)
{
    /* json-c counts the leaf as a level too. */
    struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 2);
    if (!tokener)
        return err_because(ERR_MEMORY, "JSON: no memory for a parser");

    struct json_object *root = json_tokener_parse_ex(tokener, text.at, (int)text.length);
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        /* A number or a literal may go on until something follows it. */
        root = json_tokener_parse_ex(tokener, " ", 1);
    }
    enum json_tokener_error error = json_tokener_get_error(tokener);
    json_tokener_free(tokener);

    if (error != json_tokener_success) {
        json_object_put(root);
        return err_because(ERR_MALFORMED, "JSON: %s", json_tokener_error_desc(error));
    }
    *ret_root = root;
    return ERR_NONE;
}

static bool is_null(struct text json)
{
    while (json.length > 0 && *json.at <= ' ') {
        json.at++;
        json.length--;
    }
    return json.length > 0 && *json.at == 'n';
}

enum err json_parse(struct text text, struct json_document **ret)
{
    struct json_object *root = NULL;
    size_t members;

    if (text.length > INT_MAX)
        return err_because(ERR_MEMORY, "JSON: %zu bytes are too many", text.length);
    enum err err = json_check(text, &members);
    if (err)
        return err;
    err = build_tree(text, &root);
    if (err)
        return err;
    /* json-c answers NULL for a JSON null, and also when it ran out of memory. */
    if (!root && !is_null(text))
        return err_because(ERR_MEMORY, "JSON: no memory for a value");
    /* json-c keeps the last of equal keys, so a member that went missing was one of them. */
    if (count_members(root) != members) {
        json_object_put(root);
        return err_because(ERR_MALFORMED, "JSON: duplicate key");
    }

    struct json_document *document = malloc(sizeof *document);
    if (!document) {
        json_object_put(root);
        return err_because(ERR_MEMORY, "JSON: no memory for a document");
    }
    document->root = root;
    *ret = document;
    return ERR_NONE;
}

void json_free(struct json_document *document)
{
    if (document) {
        json_object_put(document->root);
        free(document);
    }
}
