/*
 * A crowd: many requests over many connections at once, from one thread (libcurl's multi interface).
 */
#ifndef TANDEM_CHECK_SERVICE_CROWD_H
#define TANDEM_CHECK_SERVICE_CROWD_H

#include <stdint.h>

struct crowd_request {
    const char *method, *token;   /* token: NULL for none */
    char path[256], key[96], body[512];   /* "" for none */
};

struct crowd {
    const char *url;
    unsigned clients, requests;   /* at once, and in all */
    void *context;
    void (*make)(unsigned number, struct crowd_request *request, void *context);
    void (*answered)(unsigned number, int status, const char *body, void *context);   /* status 0: not answered */
    void (*header)(unsigned number, const char *name, const char *value, void *context);   /* before that; or NULL */
};

/** Sends them all; returns how many were not answered at all. */
unsigned crowd_run(const struct crowd *crowd);

#endif
