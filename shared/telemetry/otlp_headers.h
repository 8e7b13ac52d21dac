/*
 * The header fields that go with every export, as libcurl has them. Pure: any thread.
 */
#ifndef TANDEM_TELEMETRY_OTLP_HEADERS_H
#define TANDEM_TELEMETRY_OTLP_HEADERS_H

#include <curl/curl.h>

#include "telemetry/otlp_exporter.h"

enum { OTLP_HEADERS_MAX = 64, OTLP_HEADER_MAX_BYTES = 8192 };

/** Adds those given to the list. ERR_CONFIG for what is no header, or one that is not the operator's to set; the cause
 *  says which by its place, and has nothing of its value. ERR_MEMORY. On failure *list has what was added so far. */
enum err must_check otlp_headers_read(struct secret headers, enum otlp_headers_form form, struct curl_slist **list);

/** Adds one of ours. ERR_MEMORY. */
enum err must_check otlp_headers_add(struct curl_slist **list, const char *name, const char *value);

/** Erases and frees the list; NULL is fine. */
void otlp_headers_free(struct curl_slist *list);

#endif
