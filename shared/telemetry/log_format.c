#include "config.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/log_format.h"
#include "telemetry/log_json.h"
#include "telemetry/log_terminal.h"

size_t log_line_format(const struct log_line *line, enum log_format format, char out[static LOG_LINE_ROOM_BYTES])
{
    size_t (*write)(const struct log_line *, bool, char *) = format == LOG_JSON ? log_json_line : log_terminal_line;
    size_t length = line->event->left_out ? 0 : write(line, true, out);

    if (length == 0)
        length = write(line, false, out);
    assert(length > 0 && length <= LOG_LINE_MAX_BYTES);
    return length;
}

/* ---- made ready ---- */

/* All there are: nobody frees them, and nobody shall take them for lost. */
static _Atomic(struct log_members *) all_members;

static void keep(struct log_members *members)
{
    members->next = atomic_load(&all_members);
    while (!atomic_compare_exchange_weak(&all_members, &members->next, members))
        continue;
}

static struct log_members *members_of(const struct log_field *fields, size_t count, char *json, char *terminal)
{
    size_t json_length = log_json_fields(fields, count, json);
    size_t terminal_length = log_terminal_fields(fields, count, terminal);
    struct log_members *members =
        json_length > 0 && terminal_length > 0 ? malloc(sizeof *members + json_length + terminal_length) : NULL;

    if (!members)
        return NULL;
    memcpy(mempcpy(members->at, json, json_length), terminal, terminal_length);
    members->json = (struct text){members->at, json_length};
    members->terminal = (struct text){members->at + json_length, terminal_length};
    return members;
}

const struct log_members *log_members_new(const struct log_field *fields, size_t count)
{
    char *room = malloc((size_t)2 * LOG_LINE_ROOM_BYTES);
    struct log_members *members = room ? members_of(fields, count, room, room + LOG_LINE_ROOM_BYTES) : NULL;

    free(room);
    if (members)
        keep(members);
    return members;
}
