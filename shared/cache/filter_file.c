#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "cache/filter_private.h"

enum { FILE_MODE = 0600, BLOCK_BITS = FILTER_WORDS * FILTER_WORD_BITS };

#define MAGIC UINT64_C(0x317265746c694654)     /* "TFilter1": another form is another number */

/* File locks, past any data: who opens it, that somebody has it open, who refreshes it. */
enum { LOCK_OPENING = 0x40000000, LOCK_OPEN, LOCK_REFRESHING };

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share these");

static bool lock(int fd, int command, short type, off_t at)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    int failed;
    do
        failed = fcntl(fd, command, &lock);
    while (failed && errno == EINTR);
    return !failed;
}

static enum err failed(const char *what, const char *path)
{
    return err_because(errno == ENOSPC ? ERR_STORAGE_FULL : ERR_STORAGE, "%s %s: %s", what, path, strerror(errno));
}

/* ---- its memory ---- */

static uint64_t blocks_for(uint64_t keys_max)
{
    return (keys_max * FILTER_KEY_BITS + BLOCK_BITS - 1) / BLOCK_BITS;
}

static size_t bytes_of(uint64_t blocks)
{
    return sizeof(struct filter_page) + blocks * FILTER_HALVES * FILTER_WORDS * sizeof(uint64_t);
}

static enum err map(struct filter *filter, uint64_t blocks)
{
    int flags = filter->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *page = mmap(NULL, bytes_of(blocks), PROT_READ | PROT_WRITE, flags, filter->fd, 0);
    if (page == MAP_FAILED)
        return err_because(ERR_MEMORY, "no memory for the filter of a cache: %s", strerror(errno));
    filter->page = page;
    filter->mapped_bytes = bytes_of(blocks);
    filter->blocks = blocks;
    return ERR_NONE;
}

static void begin(struct filter *filter)
{
    filter->page->keys_max = filter->opts.keys_max;
    filter->page->blocks = filter->blocks;
    random_bytes(filter->page->hash_key, sizeof filter->page->hash_key);
    atomic_store(&filter->page->magic, MAGIC);
}

/* ---- its file ---- */

/* Nobody else has it open: nothing of what it held is worth anything. */
static enum err make(struct filter *filter)
{
    const char *path = filter->opts.path;
    uint64_t blocks = blocks_for(filter->opts.keys_max);
    if (ftruncate(filter->fd, 0))
        return failed("truncate", path);
    /* Backed now: a full disk is told of here, and not by a signal later. */
    errno = posix_fallocate(filter->fd, 0, (off_t)bytes_of(blocks));
    if (errno)
        return failed("space for", path);
    enum err err = map(filter, blocks);
    if (!err)
        begin(filter);
    return err;
}

static enum err join(struct filter *filter)
{
    struct filter_page head;
    struct stat stat;
    if (fstat(filter->fd, &stat))
        return failed("look at", filter->opts.path);
    if (pread(filter->fd, &head, sizeof head, 0) != (ssize_t)sizeof head || head.magic != MAGIC ||
        head.blocks != blocks_for(head.keys_max) || stat.st_size != (off_t)bytes_of(head.blocks))
        return err_because(ERR_STORAGE, "%s is in use, and is no filter of this version", filter->opts.path);
    return map(filter, head.blocks);
}

static enum err open_locked(struct filter *filter)
{
    bool is_alone = lock(filter->fd, F_OFD_SETLK, F_WRLCK, LOCK_OPEN);
    enum err err = is_alone ? make(filter) : join(filter);
    if (!err && !lock(filter->fd, F_OFD_SETLKW, F_RDLCK, LOCK_OPEN))
        err = failed("lock", filter->opts.path);
    return err;
}

enum err filter_file_open(struct filter *filter)
{
    const char *path = filter->opts.path;
    filter->fd = -1;
    if (!path) {
        enum err err = map(filter, blocks_for(filter->opts.keys_max));
        if (!err)
            begin(filter);
        return err;
    }
    filter->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (filter->fd < 0)
        return failed("open", path);
    if (!lock(filter->fd, F_OFD_SETLKW, F_WRLCK, LOCK_OPENING))
        return failed("lock", path);
    enum err err = open_locked(filter);
    lock(filter->fd, F_OFD_SETLK, F_UNLCK, LOCK_OPENING);
    return err;
}

void filter_file_close(struct filter *filter)
{
    if (filter->page)
        munmap(filter->page, filter->mapped_bytes);
    if (filter->fd >= 0)
        close(filter->fd);
}

/* ---- who refreshes ---- */

bool filter_file_take(struct filter *filter)
{
    if (pthread_mutex_trylock(&filter->refreshing))
        return false;
    if (filter->fd < 0 || lock(filter->fd, F_OFD_SETLK, F_WRLCK, LOCK_REFRESHING))
        return true;
    pthread_mutex_unlock(&filter->refreshing);
    return false;
}

void filter_file_give_back(struct filter *filter)
{
    if (filter->fd >= 0)
        lock(filter->fd, F_OFD_SETLK, F_UNLCK, LOCK_REFRESHING);
    pthread_mutex_unlock(&filter->refreshing);
}
