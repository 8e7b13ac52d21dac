#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "app/background.h"
#include "events/lease.h"
#include "events/wakeup.h"
#include "state/thread.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_APP

struct background {
    struct background_opts opts;
    struct db_connection *reader;
    struct wakeup wakeup;
    pthread_t thread;
    bool failing;                 /* the thread's */
    atomic_bool stopping;
};

/* Told once each way. */
static void note(struct background *background, enum err err)
{
    if (err && !background->failing)
        log_event(LOG_ERROR, "what is done in the background fails; it is tried again",
                  LOG_STRING("what", background->opts.what), LOG_ERR(err));
    else if (!err && background->failing)
        log_event(LOG_INFO, "what is done in the background goes on", LOG_STRING("what", background->opts.what));
    background->failing = err != ERR_NONE;
}

static void work(struct background *background)
{
    bool more = true;
    while (more && !atomic_load(&background->stopping)) {
        more = false;
        enum err err = background->opts.step(background->opts.context, background->reader, &more);
        note(background, err);
        more = more && !err;
    }
}

static bool is_ours(struct background *background)
{
    return background->opts.in_each || db_lease_take(background->opts.db, LEASE_BACKGROUND);
}

static void *run(void *context)
{
    struct background *background = context;
    while (!atomic_load(&background->stopping)) {
        wakeup_wait(&background->wakeup, background->opts.interval_ms);
        if (!atomic_load(&background->stopping) && is_ours(background))
            work(background);
    }
    return NULL;
}

static void free_background(struct background *background)
{
    db_reader_close(background->reader);
    wakeup_fini(&background->wakeup);
    free(background);
}

enum err background_start(const struct background_opts *opts, struct background **ret)
{
    struct background *background = calloc(1, sizeof *background);
    if (!background)
        return err_because(ERR_MEMORY, "no memory for %s", opts->what);
    background->opts = *opts;
    wakeup_init(&background->wakeup);
    enum err err = db_reader_open(opts->db, &background->reader);
    if (!err)
        err = thread_start(&background->thread, "background", run, background);
    if (err) {
        free_background(background);
        return err;
    }
    *ret = background;
    return ERR_NONE;
}

void background_hurry(struct background *background)
{
    wakeup_signal(&background->wakeup);
}

void background_stop(struct background *background)
{
    if (!background)
        return;
    atomic_store(&background->stopping, true);
    wakeup_signal(&background->wakeup);
    pthread_join(background->thread, NULL);
    free_background(background);
}
