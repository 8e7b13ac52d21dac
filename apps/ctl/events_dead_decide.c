/* Sending dead letters again, and dropping them: first as a rehearsal, then, with --yes, for good. */
#include "config.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/events_dead.h"

enum { PAGE = 100, AT_ONCE = 64, FOUND_MAX = 100000, ARENA_MAX_BYTES = 64 * 1024 * 1024, NAME_SIZE = 64 };

/* What is done with them, and how that is said. */
struct deed {
    enum err (*act)(struct db_connection *connection, const struct dead_letter_act *act);
    const char *would, *was;
};

static const struct deed redriving = {dead_letter_redrive, "would be sent again", "sent again"};
static const struct deed discarding = {dead_letter_discard, "would be dropped for good", "dropped"};

/* ---- finding ---- */

struct search {
    struct dead_choice choice;
    struct dead_list *list;
    const struct events_service *service;
    int64_t after;
    unsigned seen;
};

static enum err add_found(const struct dead_letter *letter, void *context)
{
    struct search *search = context;
    struct dead_list *list = search->list;
    search->after = letter->number;
    search->seen++;
    if (!dead_choice_has(&search->choice, letter))
        return ERR_NONE;
    if (list->count == list->room)
        return err_because(ERR_INVALID, "more than %zu are chosen; choose fewer at once, such as by --until",
                           list->room);
    struct dead_found found = {search->service, letter->number, letter->parked_us,
                               arena_text(&list->arena, letter->event_id), false};
    if (!found.event_id.at)
        return err_because(ERR_MEMORY, "there is no memory for so many dead letters");
    list->found[list->count++] = found;
    dead_print_row(letter);
    return ERR_NONE;
}

static enum err find(const struct events_service *service, struct search *search)
{
    enum err err = ERR_NONE;
    search->service = service;
    search->after = 0;
    do {
        search->seen = 0;
        err = dead_letter_each(service->reader, search->after, PAGE, add_found, search);
    } while (!err && search->seen == PAGE);
    return err;
}

/* The oldest first, of each service, so that nothing overtakes what happened before it while this goes on. */
static int older_first(const void *left, const void *right)
{
    const struct dead_found *a = left, *b = right;
    if (a->service != b->service)
        return (a->service > b->service) - (a->service < b->service);
    return (a->parked_us > b->parked_us) - (a->parked_us < b->parked_us);
}

/* ---- doing ---- */

struct portion {
    const struct deed *deed;
    struct dead_found *found;
    size_t count;
    struct text by, reason;
};

/* Who is gone was decided about by somebody else meanwhile. */
static enum err do_portion(struct db_connection *connection, void *context)
{
    struct portion *portion = context;
    for (size_t i = 0; i < portion->count; i++) {
        struct dead_found *found = &portion->found[i];
        enum err err = portion->deed->act(connection, &(struct dead_letter_act){found->number, found->event_id,
                                                                                portion->by, portion->reason});
        found->was_gone = err == ERR_NOT_FOUND;
        if (err && !found->was_gone)
            return err;
    }
    return ERR_NONE;
}

static const char *operator_name(char out[static NAME_SIZE])
{
    const char *behind_sudo = getenv("SUDO_USER");
    const struct passwd *entry = getpwuid(getuid());
    if (behind_sudo && *behind_sudo)
        snprintf(out, NAME_SIZE, "%s", behind_sudo);
    else if (entry)
        snprintf(out, NAME_SIZE, "%s", entry->pw_name);
    else
        snprintf(out, NAME_SIZE, "uid %u", (unsigned)getuid());
    return out;
}

/* A few in each transaction, between those of the service. */
static enum err do_all(const struct invocation *invocation, const struct deed *deed, struct dead_list *list,
                       size_t *ret_done)
{
    char by[NAME_SIZE];
    struct portion portion = {.deed = deed, .by = text_of(operator_name(by)),
                              .reason = text_of(invocation_value(invocation, "reason"))};
    enum err err = ERR_NONE;
    *ret_done = 0;
    for (size_t i = 0; i < list->count && !err; i += portion.count) {
        portion.found = &list->found[i];
        portion.count = 0;
        while (portion.count < AT_ONCE && i + portion.count < list->count
               && list->found[i + portion.count].service == list->found[i].service)
            portion.count++;
        err = db_write(list->found[i].service->db, do_portion, &portion);
        for (size_t j = 0; j < portion.count && !err; j++)
            *ret_done += !portion.found[j].was_gone;
    }
    return err;
}

/* ---- the commands ---- */

static const char *letters(size_t count)
{
    return count == 1 ? "dead letter" : "dead letters";
}

static bool is_found(const struct dead_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (text_equal_string(list->found[i].event_id, id))
            return true;
    return false;
}

/* An id that is none of a dead letter is a mistake; that nothing fits a filter is not. */
static bool has_all(const struct invocation *invocation, const struct dead_list *list)
{
    bool all = true;
    for (size_t i = 0; i < invocation->operand_count; i++) {
        if (is_found(list, invocation->operands[i]))
            continue;
        invocation_failure("%s is no dead letter that was chosen; nothing was done", invocation->operands[i]);
        all = false;
    }
    return all;
}

static int decide(const struct invocation *invocation, const struct deed *deed, struct events_services *services,
                  struct search *search)
{
    struct dead_list *list = search->list;
    size_t done = 0;
    enum err err = ERR_NONE;
    dead_print_heading();
    for (size_t i = 0; i < services->count && !err; i++)
        err = find(&services->list[i], search);
    if (err)
        return invocation_failure("nothing was done: %s", err_cause());
    if (!has_all(invocation, list))
        return EXIT_FAILURE;
    if (!invocation_value(invocation, "yes")) {
        printf("%zu %s %s; nothing was done yet. With --yes it is.\n", list->count, letters(list->count), deed->would);
        return EXIT_SUCCESS;
    }
    if (list->count > 0)
        qsort(list->found, list->count, sizeof *list->found, older_first);
    err = do_all(invocation, deed, list, &done);
    printf("%zu %s %s\n", done, letters(done), deed->was);
    if (err)
        return invocation_failure("the others were not: %s", err_cause());
    if (done < list->count)
        printf("%zu had been decided about by somebody else meanwhile\n", list->count - done);
    return EXIT_SUCCESS;
}

static bool chooses(const struct invocation *invocation)
{
    static const char *const by[] = {"type", "subject", "since", "until", "group", "all"};
    bool any = invocation->operand_count > 0;
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++)
        any = any || invocation_value(invocation, by[i]);
    return any;
}

static int run(const struct invocation *invocation, const struct deed *deed)
{
    struct events_services services;
    struct dead_list list = {.room = FOUND_MAX};
    struct search search = {.list = &list};
    int status = EXIT_FAILURE;
    if (!chooses(invocation))
        return invocation_usage(invocation->command,
                                "say which: by ID, --type, --subject, --since, --until, --group, or --all");
    if (!dead_choice_read(invocation, &search.choice))
        return EXIT_USAGE;
    arena_init(&list.arena, ARENA_MAX_BYTES);
    list.found = arena_calloc(&list.arena, list.room, sizeof *list.found);
    if (!list.found)
        invocation_failure("there is no memory for a list of dead letters");
    else if (events_services_open(invocation, invocation_value(invocation, "yes") != NULL, &services))
        status = decide(invocation, deed, &services, &search);
    if (list.found)
        events_services_close(&services);
    arena_fini(&list.arena);
    return status;
}

int command_events_dead_redrive(const struct invocation *invocation)
{
    return run(invocation, &redriving);
}

int command_events_dead_discard(const struct invocation *invocation)
{
    return run(invocation, &discarding);
}
