#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "discovery/discovery_private.h"

enum { TEXTS_MAX_BYTES = 1024 * 1024 };

static const struct discovery_driver *const drivers[] = {
    &discovery_static,
    &discovery_dns,
    &discovery_etcd,
    &discovery_consul,
};

static const struct discovery_driver *driver_of(const char *name)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    return NULL;
}

/* Every text of the options in place of the caller's. */
static enum err copy_texts(struct discovery *discovery)
{
    struct discovery_opts *opts = &discovery->opts;
    const char **texts[] = {&opts->driver,      &opts->endpoints, &opts->servers,          &opts->prefix,
                            &opts->domain,      &opts->user,      &opts->secret_file,      &opts->ca_file,
                            &opts->certificate_file, &opts->key_file, &opts->remember_path};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = arena_string(&discovery->texts, text_of(*texts[i] ? *texts[i] : ""));
        if (!*texts[i])
            return err_because(ERR_MEMORY, "no memory for the options of discovery");
    }
    return ERR_NONE;
}

enum err discovery_open(const struct discovery_opts *opts, struct discovery **ret)
{
    const struct discovery_driver *driver = driver_of(opts->driver);
    if (!driver)
        return err_because(ERR_CONFIG, "there is no way of discovery called \"%s\"", opts->driver);
    struct discovery *discovery = calloc(1, sizeof *discovery);
    if (!discovery)
        return err_because(ERR_MEMORY, "no memory for discovery");
    discovery->driver = driver;
    discovery->opts = *opts;
    if (driver->is_certain)
        discovery->opts.empty_after_ms = 0;
    arena_init(&discovery->texts, TEXTS_MAX_BYTES);
    enum err err = copy_texts(discovery);
    if (!err)
        err = driver->open(&discovery->opts, &discovery->state);
    if (err) {
        arena_fini(&discovery->texts);
        free(discovery);
        return err;
    }
    pthread_mutex_init(&discovery->lock, NULL);
    *ret = discovery;
    return ERR_NONE;
}

void discovery_close(struct discovery *discovery)
{
    if (!discovery)
        return;
    registration_free(discovery->registration);
    while (discovery->watches)
        discovery_unwatch(discovery->watches);
    discovery->driver->close(discovery->state);
    pthread_mutex_destroy(&discovery->lock);
    arena_fini(&discovery->texts);
    free(discovery);
}

enum err discovery_reload(struct discovery *discovery, const char *endpoints)
{
    if (!discovery->driver->reload)
        return ERR_NONE;
    enum err err = discovery->driver->reload(discovery->state, endpoints);
    pthread_mutex_lock(&discovery->lock);
    for (struct discovery_watch *watch = discovery->watches; watch && !err; watch = watch->next)
        waiter_wake(&watch->waiter);
    pthread_mutex_unlock(&discovery->lock);
    return err;
}

/* ---- what all have in common ---- */

bool discovery_is_name(const char *service)
{
    size_t length = strlen(service);
    return length > 0 && length < DISCOVERY_NAME_SIZE &&
           strspn(service, "abcdefghijklmnopqrstuvwxyz0123456789-") == length && service[0] != '-';
}

unsigned discovery_pause_ms(const struct discovery_opts *opts, unsigned failures)
{
    unsigned pause_ms = opts->retry_first_ms;
    for (unsigned i = 1; i < failures && pause_ms < opts->retry_max_ms; i++)
        pause_ms = pause_ms > opts->retry_max_ms / 2 ? opts->retry_max_ms : pause_ms * 2;
    return pause_ms - random_below(pause_ms / 2 + 1);
}

void discovery_tell(const struct discovery *discovery, const char *watched, enum err err)
{
    if (discovery->opts.told)
        discovery->opts.told(discovery->opts.context, watched, err);
}

void discovery_found_add(struct discovery_found *found, const struct instance *instance)
{
    if (found->count == INSTANCES_MAX || instance_check(instance) != ERR_NONE)
        found->refused++;
    else
        found->list[found->count++] = *instance;
}
