/*
 * A view of bytes that somebody else owns, and what one asks of such a view.
 *
 * Not zero-terminated. An absent value has at == NULL; an empty one has length 0 and at != NULL.
 * Pure functions: any thread.
 */
#ifndef TANDEM_BASE_TEXT_H
#define TANDEM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct text {
    const char *at;
    size_t length;
};

/* For literals, and for printf: printf("%.*s", TEXT_ARGS(text)). */
#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})
#define TEXT_NONE ((struct text){NULL, 0})
#define TEXT_ARGS(text) (int)(text).length, ((text).at ? (text).at : "")

/** A view of a zero-terminated string; absent for NULL. */
struct text text_of(const char *string);

/** Equal bytes; an absent text equals only an absent one. */
bool text_equal(struct text a, struct text b);
bool text_equal_string(struct text a, const char *b);

/** Equal but for the case of ASCII letters. */
bool text_equal_nocase(struct text a, struct text b);
bool text_starts(struct text text, struct text prefix);
bool text_starts_nocase(struct text text, struct text prefix);

/** The index of the first c, or -1. */
ptrdiff_t text_find(struct text text, char c);

/** Cuts off and returns what stands before the first separator (all of it when there is none). *rest becomes what
 *  follows the separator, absent when there was none. */
struct text text_split(struct text *rest, char separator);

/** Without leading and trailing spaces and tabs. */
struct text text_trim(struct text text);

/** A decimal integer of the whole text: optional minus, no plus, no spaces. ERR_MALFORMED when it is none or
 *  does not fit; *ret is then untouched. */
enum err must_check text_to_int(struct text text, int64_t *ret);

/** Permission bits, as chmod(1) and systemd write them, 0660: octal with a zero before it, else a decimal integer.
 *  ERR_MALFORMED as of text_to_int(). */
enum err must_check text_to_mode(struct text text, int64_t *ret);

/** Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
bool text_is_utf8(struct text text);

/** How many code points a well-formed text has. */
size_t text_utf8_count(struct text text);

/** Its beginning, of at most max bytes, which ends no code point of a well-formed text in its midst. */
struct text text_begin(struct text text, size_t max);

/** Printable ASCII only (0x21 to 0x7e). */
bool text_is_visible_ascii(struct text text);

/**
 * Decodes percent-encoding (RFC 3986, 2.1) into out, which has room for text.length bytes; with plus_is_space also
 * the form encoding of query strings. ERR_MALFORMED on a broken escape, on a NUL byte, and on what is not UTF-8.
 */
enum err must_check text_percent_decode(struct text text, bool plus_is_space, char *out, size_t *ret_length);

#endif
