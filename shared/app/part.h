/*
 * Parts: what a program is made of, as rows of a table that are started forward and stopped backward.
 */
#ifndef TANDEM_APP_PART_H
#define TANDEM_APP_PART_H

#include <stddef.h>

#include "base/err.h"

struct service;

struct part {
    const char *name;                                /* for the line that says what could not be started */
    enum err (*start)(struct service *service);
    void (*stop)(struct service *service);           /* NULL: nothing to do */
};

/** The parts of every service, lowest first. */
extern const struct part service_parts[];
extern const size_t service_part_count;

/**
 * Starts parts from the first on, up to the first error, which is returned. *ret_started says in any case how many
 * were started: on an error it is the index of the one that was not, and always what parts_stop() takes.
 */
enum err must_check parts_start(const struct part *parts, size_t count, struct service *service, size_t *ret_started);

/** Stops the first `started` parts, the last of them first. */
void parts_stop(const struct part *parts, size_t started, struct service *service);

#endif
