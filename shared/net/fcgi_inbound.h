/*
 * What is checked when the parts of a FastCGI request are complete; see fcgi_parser.h, whose other half this is.
 */
#ifndef TANDEM_NET_FCGI_INBOUND_H
#define TANDEM_NET_FCGI_INBOUND_H

#include "base/err.h"
#include "net/fcgi_parser.h"

/**
 * The parameters are all there: fills params, method, path and query of the request, and the length of the body to
 * come. ERR_HEADERS_TOO_LARGE for too many, ERR_TOO_LARGE for a CONTENT_LENGTH over the limit, ERR_MALFORMED,
 * ERR_MEMORY.
 */
enum err must_check fcgi_inbound_params_end(struct fcgi_inbound *inbound, const struct fcgi_limits *limits);

/** The body is all there. ERR_MALFORMED when it is shorter than CONTENT_LENGTH says. */
enum err must_check fcgi_inbound_body_end(struct fcgi_inbound *inbound);

/** The length a CONTENT_LENGTH parameter gives; an absent and an empty one are no body (*ret_absent). */
enum err must_check fcgi_content_length(struct text value, size_t max_bytes, bool *ret_absent, size_t *ret_length);

#endif
