/*
 * The current settings: one place that holds a snapshot, read by many and replaced whole by one.
 *
 * Whoever reads takes a reference and keeps it for as long as it works on one thing, so that all of that is done by the
 * same settings, whatever is put in place meanwhile. Taking costs a lock held for one addition. Any thread.
 */
#ifndef TANDEM_CONF_CURRENT_H
#define TANDEM_CONF_CURRENT_H

#include <pthread.h>

#include "conf/settings.h"

struct current {
    pthread_mutex_t lock;
    struct settings *settings;
};

/** Begins with these, of which it keeps a reference of its own. */
void current_init(struct current *current, struct settings *settings);

/** Gives its reference up. Nobody may use it any more; what was taken stays valid. */
void current_fini(struct current *current);

/** The settings as they are now, with a reference that ends with settings_unref(). */
struct settings *current_take(struct current *current);

/** Puts others in place. The reference to them becomes current's own. */
void current_put(struct current *current, struct settings *settings);

#endif
