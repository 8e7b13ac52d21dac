#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "cache/marks.h"

enum { MAGIC = 0x746d6b31, FILE_MODE = 0600 };

struct page {
    _Atomic uint32_t magic;                  /* set once the key is */
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    _Atomic int64_t all;                     /* everything from before this is invalid */
    _Atomic int64_t places[MARK_PLACES];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share these");
_Static_assert((MARK_PLACES & (MARK_PLACES - 1)) == 0, "a hash's low bits are its place");

struct marks {
    struct page *page;
};

/* ---- the page ---- */

static void make_key(struct page *page)
{
    if (atomic_load(&page->magic) == MAGIC)
        return;
    random_bytes(page->hash_key, sizeof page->hash_key);
    atomic_store(&page->magic, MAGIC);
}

/* The time is read after the mark, and the mark must still be that one: another process may make one meanwhile. */
static void forget_future(_Atomic int64_t *mark)
{
    int64_t made_ns = atomic_load(mark);
    if (made_ns > clock_now_ns())
        atomic_compare_exchange_strong(mark, &made_ns, 0);
}

/* Times of the future are from before the machine was started, when nobody has what was loaded then. */
static void forget_boot(struct page *page)
{
    forget_future(&page->all);
    for (size_t i = 0; i < MARK_PLACES; i++)
        forget_future(&page->places[i]);
}

/* The first to come makes the file what it is to be, with its lock, which the mapping would keep. */
static enum err map_file(int fd, const char *path, struct page **ret)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return err_because(ERR_STORAGE, "%s: %s", path, strerror(errno));
    if (stat.st_size != (off_t)sizeof **ret && ftruncate(fd, sizeof **ret) != 0)
        return err_because(ERR_STORAGE, "size of %s: %s", path, strerror(errno));
    /* Backed now: a full disk is told of here, and not by a signal later. */
    int full = posix_fallocate(fd, 0, sizeof **ret);
    if (full)
        return err_because(ERR_STORAGE, "space for %s: %s", path, strerror(full));
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return err_because(ERR_STORAGE, "map %s: %s", path, strerror(errno));
    make_key(page);
    forget_boot(page);
    *ret = page;
    return ERR_NONE;
}

static enum err map_shared(const char *path, struct page **ret)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return err_because(ERR_STORAGE, "open %s: %s", path, strerror(errno));
    enum err err = flock(fd, LOCK_EX) == 0 ? map_file(fd, path, ret)
                                           : err_because(ERR_STORAGE, "lock %s: %s", path, strerror(errno));
    flock(fd, LOCK_UN);
    close(fd);
    return err;
}

static enum err map_own(struct page **ret)
{
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return err_because(ERR_MEMORY, "no memory for the marks of a cache");
    make_key(page);
    *ret = page;
    return ERR_NONE;
}

enum err marks_open(const char *path, struct marks **ret)
{
    struct marks *marks = calloc(1, sizeof *marks);
    if (!marks)
        return err_because(ERR_MEMORY, "no memory for the marks of a cache");
    enum err err = path ? map_shared(path, &marks->page) : map_own(&marks->page);
    if (err)
        free(marks);
    else
        *ret = marks;
    return err;
}

void marks_close(struct marks *marks)
{
    if (!marks)
        return;
    munmap(marks->page, sizeof *marks->page);
    free(marks);
}

/* ---- marks ---- */

uint64_t marks_hash(const struct marks *marks, uint64_t name_hash, struct text key)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.at, key.length, marks->page->hash_key);
    hash ^= name_hash;
    return hash ? hash : 1;
}

static _Atomic int64_t *place_of(const struct marks *marks, uint64_t hash)
{
    return &marks->page->places[hash & (MARK_PLACES - 1)];
}

int64_t marks_now(void)
{
    return clock_now_ns();
}

/* Of two that invalidate at once the later time stays. */
static void raise_to_now(_Atomic int64_t *place)
{
    int64_t now_ns = clock_now_ns(), from_ns = atomic_load(place);
    while (from_ns < now_ns && !atomic_compare_exchange_weak(place, &from_ns, now_ns))
        continue;
}

void marks_invalidate(struct marks *marks, uint64_t hash)
{
    raise_to_now(place_of(marks, hash));
}

void marks_invalidate_all(struct marks *marks)
{
    raise_to_now(&marks->page->all);
}

bool marks_hold(const struct marks *marks, uint64_t hash, int64_t mark)
{
    return atomic_load_explicit(place_of(marks, hash), memory_order_acquire) < mark &&
           atomic_load_explicit(&marks->page->all, memory_order_acquire) < mark;
}
