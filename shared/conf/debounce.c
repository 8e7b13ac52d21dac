#include "config.h"

#include "base/clock.h"
#include "conf/debounce.h"

void debounce_note(struct debounce *debounce, int64_t now_ns)
{
    if (!debounce->first_ns)
        debounce->first_ns = now_ns;
    debounce->latest_ns = now_ns;
}

int debounce_left_ms(const struct debounce *debounce, int64_t now_ns)
{
    if (!debounce->first_ns)
        return -1;
    int64_t quiet_ns = debounce->latest_ns + DEBOUNCE_QUIET_MS * NS_PER_MS;
    int64_t most_ns = debounce->first_ns + DEBOUNCE_MOST_MS * NS_PER_MS;
    int64_t left_ns = (quiet_ns < most_ns ? quiet_ns : most_ns) - now_ns;
    return left_ns > 0 ? (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

void debounce_clear(struct debounce *debounce)
{
    *debounce = (struct debounce){.first_ns = 0};
}
