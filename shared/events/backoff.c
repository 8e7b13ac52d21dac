#include "config.h"

#include <stdint.h>

#include "base/id.h"
#include "events/backoff.h"

unsigned backoff_ms(unsigned attempts, unsigned first_ms, unsigned max_ms)
{
    uint64_t pause_ms = first_ms;
    for (unsigned i = 1; i < attempts && pause_ms < max_ms; i++)
        pause_ms *= 2;
    if (pause_ms > max_ms)
        pause_ms = max_ms;
    unsigned half_ms = (unsigned)(pause_ms / 2);
    return (unsigned)pause_ms - half_ms + random_below(half_ms + 1);
}
