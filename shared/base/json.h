/*
 * JSON in: strict parsing, and reading into plain structs by a table of fields.
 *
 * Wraps json-c, whose parser alone accepts more than RFC 8259 allows. Refused here: duplicate keys, NaN and Infinity,
 * integers outside 64 bits and numbers outside a double, leading zeros and trailing characters in numbers, single
 * quotes, comments, raw control characters, invalid UTF-8, lone surrogates, NUL in keys and values, depth over
 * JSON_MAX_DEPTH, more than JSON_MAX_VALUES values or JSON_MAX_LISTS objects and arrays, and anything but white
 * space after the value. The ceilings on breadth are for memory: "{}" takes a kilobyte in json-c, and a document
 * some twelve megabytes beside its texts at the most.
 *
 * Threads: a document belongs to one thread at a time.
 */
#ifndef TANDEM_BASE_JSON_H
#define TANDEM_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

enum { JSON_MAX_DEPTH = 32, JSON_MAX_VALUES = 32768, JSON_MAX_LISTS = 10240, JSON_MAX_FAULTS = 32 };

struct json_document;

/** Parses the whole text. ERR_MALFORMED with a cause that names the byte, or says "duplicate key"; ERR_MEMORY, also
 *  past INT_MAX bytes. Free with json_free(). */
enum err must_check json_parse(struct text text, struct json_document **ret);

/** Frees a document; NULL is fine. Texts read from it were copied into an arena and stay. */
void json_free(struct json_document *document);

/** Whether text is one JSON value by the rules above, but for duplicate keys, and how many members all its objects
 *  have; ERR_MALFORMED with the first fault's byte and reason otherwise. No allocation. */
enum err must_check json_check(struct text text, size_t *ret_members);

/* ---- reading by a table of fields ---- */

enum json_field_type {
    JSON_TEXT,      /* fills a struct text; min and max count code points; a max of 0 is none */
    JSON_INTEGER,   /* fills an int64_t; min and max are the range, none when both are 0; 1.5, 1.0, 1e2 are refused */
    JSON_BOOLEAN,   /* fills a bool */
    JSON_OBJECT,    /* fills the members of an inner struct at offset, by fields */
    JSON_ARRAY,     /* fills a struct json_array of element_size structs, by fields; min and max as for text */
};

struct json_array {
    void *elements;
    size_t count;
};

struct json_field {
    const char *name;
    enum json_field_type type;
    bool required;                      /* absent, or null, is a fault */
    int64_t min, max;
    size_t offset;                      /* of the member in the struct that is filled */
    bool (*accepts)(struct text);       /* text only, may be NULL: a further rule … */
    const char *rule;                   /* … and what it asks, "must be an e-mail address" */
    const struct json_field *fields;    /* object and array: ends with a row whose name is NULL */
    size_t element_size;                /* array */
};

struct json_fault {
    struct text pointer;   /* RFC 6901 */
    const char *reason;
};

struct json_faults {
    struct json_fault list[JSON_MAX_FAULTS];
    size_t count;
};

/**
 * Reads an object into the struct at out, by fields (which ends with a row whose name is NULL). Members the table
 * does not know are faults. What is absent leaves out as it was, so give defaults before; an absent text stays absent.
 * Texts and arrays are copied into arena; the structs of an array start zeroed. faults is emptied first.
 * ERR_INVALID when there are faults, all of which are then in faults (at most JSON_MAX_FAULTS); ERR_MEMORY.
 */
enum err must_check json_read(const struct json_document *document, const struct json_field *fields,
                              struct arena *arena, void *out, struct json_faults *faults);

/** As json_read(), but members the table does not know are passed over: for events, whose senders may be newer. */
enum err must_check json_read_lenient(const struct json_document *document, const struct json_field *fields,
                                      struct arena *arena, void *out, struct json_faults *faults);

/** Adds a fault found by the caller's own rules; ignored past JSON_MAX_FAULTS. pointer and reason must outlive it. */
void json_fault_add(struct json_faults *faults, struct text pointer, const char *reason);

#endif
