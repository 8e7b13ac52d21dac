/*
 * Dead letters of all services, chosen by what the command line says.
 */
#ifndef TANDEM_APPS_CTL_EVENTS_DEAD_H
#define TANDEM_APPS_CTL_EVENTS_DEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/ctl/events_open.h"
#include "events/dead_letter.h"

/* What is asked for. */
struct dead_choice {
    const struct invocation *invocation;
    const char *type, *subject;        /* may have asterisks; NULL: any */
    int64_t since_us, until_us;        /* of the last failure */
};

/* One that was found. Its texts are in the arena. */
struct dead_found {
    const struct events_service *service;
    int64_t number, parked_us;
    struct text event_id;
    bool was_gone;                     /* somebody else has decided meanwhile */
};

struct dead_list {
    struct arena arena;
    struct dead_found *found;
    size_t count, room;
};

/** Reads --type, --subject, --since and --until, and the ids among the operands. False after a message. */
bool dead_choice_read(const struct invocation *invocation, struct dead_choice *ret);

bool dead_choice_has(const struct dead_choice *choice, const struct dead_letter *letter);

/** Prints the row of a table of dead letters, and before the first its heading. */
void dead_print_heading(void);
void dead_print_row(const struct dead_letter *letter);

#endif
