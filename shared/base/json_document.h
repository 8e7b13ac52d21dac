/*
 * What is inside a document, for json.c and json_read.c only. json-c's names stop at these two files.
 */
#ifndef TANDEM_BASE_JSON_DOCUMENT_H
#define TANDEM_BASE_JSON_DOCUMENT_H

#include <json-c/json.h>

struct json_document {
    struct json_object *root;   /* NULL for a JSON null, as everywhere in json-c */
};

#endif
