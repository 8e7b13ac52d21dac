/* A value as it stands in Redis: "1 VERSION BEGAN UNTIL COST GROUP-LENGTH\n", the group, the value. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache/remote_private.h"

#define STORED_FORMAT "1"      /* others than this one are passed over */

void stored_version(uint64_t version, char out[static STORED_VERSION_SIZE])
{
    snprintf(out, STORED_VERSION_SIZE, "%016" PRIx64, version);
}

size_t stored_head(const struct stored *stored, char out[static STORED_HEAD_MAX])
{
    char version[STORED_VERSION_SIZE];
    stored_version(stored->version, version);
    int length = snprintf(out, STORED_HEAD_MAX, STORED_FORMAT " %s %" PRId64 " %" PRId64 " %" PRId64 " %zu\n", version,
                          stored->began_us, stored->until_us, stored->cost_us, stored->group.length);
    return (size_t)length;
}

static bool read_version(struct text text, uint64_t *ret)
{
    uint64_t version = 0;
    if (text.length != STORED_VERSION_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const char *digits = "0123456789abcdef", *digit = memchr(digits, text.at[i], 16);
        if (!digit)
            return false;
        version = version << 4 | (uint64_t)(digit - digits);
    }
    *ret = version;
    return true;
}

bool stored_read(struct text bytes, struct stored *ret)
{
    struct stored stored;
    struct text rest = bytes, head = text_split(&rest, '\n');
    int64_t group_length;
    if (!rest.at || !text_equal_string(text_split(&head, ' '), STORED_FORMAT) ||
        !read_version(text_split(&head, ' '), &stored.version) ||
        text_to_int(text_split(&head, ' '), &stored.began_us) ||
        text_to_int(text_split(&head, ' '), &stored.until_us) ||
        text_to_int(text_split(&head, ' '), &stored.cost_us) || text_to_int(head, &group_length) ||
        group_length < 0 || group_length > CACHE_KEY_MAX || (size_t)group_length > rest.length)
        return false;
    stored.group = group_length ? (struct text){rest.at, (size_t)group_length} : TEXT_NONE;
    stored.value = (struct text){rest.at + group_length, rest.length - (size_t)group_length};
    *ret = stored;
    return true;
}
