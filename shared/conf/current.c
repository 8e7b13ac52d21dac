#include "config.h"

#include "conf/current.h"

void current_init(struct current *current, struct settings *settings)
{
    pthread_mutex_init(&current->lock, NULL);
    current->settings = settings_ref(settings);
}

void current_fini(struct current *current)
{
    settings_unref(current->settings);
    pthread_mutex_destroy(&current->lock);
}

struct settings *current_take(struct current *current)
{
    pthread_mutex_lock(&current->lock);
    struct settings *settings = settings_ref(current->settings);
    pthread_mutex_unlock(&current->lock);
    return settings;
}

void current_put(struct current *current, struct settings *settings)
{
    pthread_mutex_lock(&current->lock);
    struct settings *before = current->settings;
    current->settings = settings;
    pthread_mutex_unlock(&current->lock);
    settings_unref(before);   /* not under the lock: it may free */
}
