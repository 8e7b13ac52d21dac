#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/id.h"
#include "discovery/remembered.h"

enum { READ_BYTES = 16384, PATH_SIZE = 4400, FILE_MODE = 0640 };

static const struct text header = {"tandem-instances 1", 18};

/* ---- writing ---- */

static void add_instance(struct buf *out, const struct instance *instance)
{
    char url[INSTANCE_URL_SIZE];
    buf_addf(out, "%s;weight=%u;id=%s", instance_url(instance, url), instance->weight, instance->id);
    if (*instance->zone)
        buf_addf(out, ";zone=%s", instance->zone);
    if (*instance->version)
        buf_addf(out, ";version=%s", instance->version);
    buf_add_char(out, '\n');
}

static enum err write_whole(const char *path, struct text content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    ssize_t written = fd < 0 ? -1 : write(fd, content.at, content.length);
    bool is_whole = written >= 0 && (size_t)written == content.length;
    int error = written >= 0 && !is_whole ? ENOSPC : errno;
    if (fd >= 0)
        close(fd);
    return is_whole ? ERR_NONE : err_because(ERR_IO, "write %s: %s", path, strerror(error));
}

/* Each process has a name of its own beside the file, which a later one of the same number takes again. */
static enum err replace(const char *path, struct text content)
{
    char beside[PATH_SIZE];
    if (snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid()) >= (int)sizeof beside)
        return err_because(ERR_IO, "%s: the path is too long", path);
    enum err err = write_whole(beside, content);
    if (!err && rename(beside, path) != 0)
        err = err_because(ERR_IO, "rename %s: %s", beside, strerror(errno));
    if (err)
        unlink(beside);
    return err;
}

enum err remembered_write(const char *path, const char *service, const struct instances *instances, int64_t now_s)
{
    char digest[TOKEN_DIGEST_SIZE];
    struct buf content;
    buf_init(&content, REMEMBERED_MAX_BYTES);
    buf_addf(&content, "%.*s\n%s\n%" PRId64 "\n", TEXT_ARGS(header), service, now_s);
    for (size_t i = 0; i < instances->count; i++)
        add_instance(&content, &instances->list[i]);
    if (!content.failed)
        buf_addf(&content, "%s\n", digest_hex(buf_text(&content), digest));
    enum err err = buf_check(&content);
    if (!err)
        err = replace(path, buf_text(&content));
    buf_fini(&content);
    return err;
}

/* ---- reading ---- */

static enum err read_whole(const char *path, struct buf *out)
{
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_because(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "open %s: %s", path, strerror(errno));
    while (got > 0) {
        char *room = buf_reserve(out, READ_BYTES);
        got = room ? read(fd, room, READ_BYTES) : 0;
        if (got > 0)
            buf_commit(out, (size_t)got);
    }
    int error = errno;
    close(fd);
    if (got < 0)
        return err_because(ERR_IO, "read %s: %s", path, strerror(error));
    return out->failed ? err_because(ERR_MALFORMED, "%s is larger than it can be", path) : ERR_NONE;
}

static enum err is_damaged(const char *path)
{
    return err_because(ERR_MALFORMED, "%s is damaged, or of another version", path);
}

/* Cuts off the last line, which is the digest of those before. */
static bool is_whole(struct text *content)
{
    char digest[TOKEN_DIGEST_SIZE];
    const size_t last = TOKEN_DIGEST_SIZE;   /* with the line's end instead of a zero */
    if (content->length <= last || content->at[content->length - 1] != '\n')
        return false;
    struct text before = {content->at, content->length - last};
    if (memcmp(before.at + before.length, digest_hex(before, digest), last - 1) != 0)
        return false;
    before.length--;
    *content = before;
    return true;
}

static enum err check_age(const char *path, int64_t age_s, int64_t age_max_s)
{
    if (age_s > age_max_s)
        return err_because(ERR_INVALID, "%s is %" PRId64 " s old", path, age_s);
    if (age_s < -REMEMBERED_AHEAD_MAX_S)
        return err_because(ERR_INVALID, "%s is %" PRId64 " s ahead of the clock", path, -age_s);
    return ERR_NONE;
}

static enum err read_list(const char *path, struct text rest, struct instances **ret)
{
    struct instance *list = calloc(INSTANCES_MAX, sizeof list[0]);
    size_t count = 0;
    if (!list)
        return err_because(ERR_MEMORY, "no memory for instances");
    enum err err = ERR_NONE;
    while (rest.at && !err)
        if (count == INSTANCES_MAX || instance_read(text_split(&rest, '\n'), &list[count++]) != ERR_NONE)
            err = is_damaged(path);
    if (!err)
        err = instances_new(list, count, ret);
    free(list);
    return err;
}

static enum err understand(const char *path, const char *service, int64_t now_s, int64_t age_max_s,
                           struct text content, struct instances **ret, int64_t *ret_age_s)
{
    int64_t at_s;
    if (!is_whole(&content) || !text_equal(text_split(&content, '\n'), header) ||
        !text_equal_string(text_split(&content, '\n'), service) || text_to_int(text_split(&content, '\n'), &at_s))
        return is_damaged(path);
    enum err err = check_age(path, now_s - at_s, age_max_s);
    if (!err)
        err = read_list(path, content, ret);
    if (!err)
        *ret_age_s = now_s - at_s;
    return err;
}

enum err remembered_read(const char *path, const char *service, int64_t now_s, int64_t age_max_s,
                         struct instances **ret, int64_t *ret_age_s)
{
    struct buf content;
    buf_init(&content, REMEMBERED_MAX_BYTES);
    enum err err = read_whole(path, &content);
    if (!err)
        err = understand(path, service, now_s, age_max_s, buf_text(&content), ret, ret_age_s);
    buf_fini(&content);
    return err;
}
