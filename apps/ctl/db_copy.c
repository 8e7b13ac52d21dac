/* db copy and db digest: a service's data on another engine, and whether it is the same. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/db_place.h"
#include "base/clock.h"
#include "state/copy.h"

enum { TERMINAL_PAUSE_MS = 200, LINE_PAUSE_MS = 1000 };

/* ---- progress ---- */

struct teller {
    bool is_terminal, is_silent;
    const char *doing, *table;           /* of what it has told last */
    int64_t begun_ns, told_ns;           /* with this table; at all */
};

static struct teller teller_of(const struct invocation *invocation)
{
    bool is_terminal = isatty(STDERR_FILENO);
    return (struct teller){.is_terminal = is_terminal,
                           .is_silent = !is_terminal && !invocation_value(invocation, "progress")};
}

static void tell(void *context, const struct table_progress *progress)
{
    struct teller *teller = context;
    int64_t now_ns = clock_now_ns();
    if (teller->is_silent)
        return;
    if (progress->table != teller->table || progress->doing != teller->doing) {
        teller->table = progress->table;
        teller->doing = progress->doing;
        teller->begun_ns = now_ns;
    }
    int64_t pause_ns = (teller->is_terminal ? TERMINAL_PAUSE_MS : LINE_PAUSE_MS) * NS_PER_MS;
    if (progress->rows < progress->of && now_ns - teller->told_ns < pause_ns)
        return;
    teller->told_ns = now_ns;
    double seconds = (double)(now_ns - teller->begun_ns) / NS_PER_S;
    fprintf(stderr, "%s%s %s: %lld rows of %lld, %.0f per second%s", teller->is_terminal ? "\r\033[K" : "",
            progress->doing, progress->table, (long long)progress->rows, (long long)progress->of,
            seconds > 0 ? (double)progress->rows / seconds : 0.0, teller->is_terminal ? "" : "\n");
}

static void tell_no_more(const struct teller *teller)
{
    if (teller->is_terminal && teller->told_ns)
        fputs("\r\033[K", stderr);
}

static void print_digests(const struct table_digests *digests)
{
    for (size_t i = 0; i < digests->count; i++)
        printf("%-24s %12lld  %s\n", digests->list[i].table, (long long)digests->list[i].rows, digests->list[i].hex);
}

/* ---- db copy ---- */

static void tell_copy(const struct copy_opts *opts, const struct copy_result *result, const char *from, const char *to,
                      int64_t begun_ns)
{
    char moment[CLOCK_RFC3339_SIZE];
    print_digests(&result->digests);
    printf("%s holds what %s held at %s, read back and compared: %lld rows written, %lld removed, in %.1f s\n", to,
           from, clock_rfc3339(result->moment_us, moment), (long long)result->written, (long long)result->removed,
           (double)(clock_now_ns() - begun_ns) / NS_PER_S);
    if (opts->unfinished)
        printf("it is unfinished: no service starts on it before tandemctl db copy was run again\n");
}

static int copy_places(const struct invocation *invocation, struct db_place *from, struct db_place *to)
{
    struct migration_set sets[DB_SETS_MAX];
    struct teller teller = teller_of(invocation);
    struct copy_result result;
    int64_t begun_ns = clock_now_ns();
    if (!db_place_sets(from, sets))
        return EXIT_FAILURE;
    const struct copy_opts opts = {
        .from = from->db, .to = to->db, .sets = sets, .set_count = DB_SETS_MAX, .told = tell, .context = &teller,
        .unfinished = invocation_value(invocation, "unfinished") != NULL,
    };
    enum err err = copy_run(&opts, &result);
    tell_no_more(&teller);
    if (err)
        return invocation_failure("%s", err_cause());
    tell_copy(&opts, &result, from->name, to->name, begun_ns);
    return EXIT_SUCCESS;
}

int command_db_copy(const struct invocation *invocation)
{
    struct db_place from, to = {.name = NULL};
    int status = EXIT_FAILURE;
    if (strcmp(invocation->operands[0], invocation->operands[1]) == 0)
        return invocation_usage(invocation->command, "FROM and TO are the same");
    if (db_place_open(&from, invocation, invocation->operands[0], false) &&
        db_place_open(&to, invocation, invocation->operands[1], true))
        status = copy_places(invocation, &from, &to);
    db_place_fini(&to);
    db_place_fini(&from);
    return status;
}

/* ---- db digest ---- */

static enum err read_digests(struct db *db, const struct migration_set *sets, struct teller *teller,
                             struct table_digests *ret)
{
    struct tables tables = {.count = 0};
    struct db_connection *reader = NULL;
    enum err err = migrate_check(db, sets, DB_SETS_MAX);
    if (!err)
        err = db_reader_open(db, &reader);
    if (!err)
        err = tables_read_at_once(reader, &tables);
    if (!err)
        err = table_digests_read(reader, &tables, tell, teller, ret);
    if (!err)
        err = tables_check_moment(reader);
    db_reader_close(reader);
    tables_fini(&tables);
    return err;
}

int command_db_digest(const struct invocation *invocation)
{
    struct migration_set sets[DB_SETS_MAX];
    struct teller teller = teller_of(invocation);
    struct table_digests digests;
    struct db_place place;
    int status = EXIT_FAILURE;
    if (db_place_open(&place, invocation, invocation->operands[0], false) && db_place_sets(&place, sets)) {
        enum err err = read_digests(place.db, sets, &teller, &digests);
        tell_no_more(&teller);
        if (err) {
            invocation_failure("%s", err_cause());
        } else {
            print_digests(&digests);
            status = EXIT_SUCCESS;
        }
    }
    db_place_fini(&place);
    return status;
}
