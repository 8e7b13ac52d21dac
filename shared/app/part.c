#include "config.h"

#include "app/part.h"

enum err parts_start(const struct part *parts, size_t count, struct service *service, size_t *ret_started)
{
    enum err err = ERR_NONE;
    size_t started = 0;
    while (started < count && (err = parts[started].start(service)) == ERR_NONE)
        started++;
    *ret_started = started;
    return err;
}

void parts_stop(const struct part *parts, size_t started, struct service *service)
{
    while (started-- > 0) {
        if (parts[started].stop)
            parts[started].stop(service);
    }
}
