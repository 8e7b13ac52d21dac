/*
 * A probe: one GET request straight to a FastCGI socket, so that a service can be asked without a web server.
 */
#ifndef TANDEM_APPS_CTL_PROBE_H
#define TANDEM_APPS_CTL_PROBE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/settings.h"

enum { PROBE_ANSWER_MAX = 16 * 1024 * 1024, PROBE_ADDRESS_SIZE = 512 };

struct probe_answer {
    int status;               /* of HTTP */
    struct buf body;          /* the caller does buf_fini() */
    int64_t took_us;
};

/**
 * Asks for path (with its query, "/v1/items?limit=1") at an address as server.listen has it: "unix:/path",
 * "127.0.0.1:9001", "[::1]:9001" (numeric: nothing is looked up). timeout_ms is for all of it. Any HTTP status is
 * success. Blocks. ERR_CONFIG for a bad address, ERR_INVALID for a bad path, ERR_UNAVAILABLE when nobody answers there,
 * ERR_DEADLINE, ERR_PROTOCOL, ERR_TOO_LARGE, ERR_BUSY when the service refuses the request. On failure ret
 * is untouched.
 */
enum err must_check probe_get(const char *address, const char *path, unsigned timeout_ms, struct probe_answer *ret);

/** Where a service is asked: at its server.listen, or, where that is not set, at the socket that systemd's units hold
 *  for it. Returns out. */
const char *probe_address(const char *service, const struct settings *settings, char out[static PROBE_ADDRESS_SIZE]);

#endif
