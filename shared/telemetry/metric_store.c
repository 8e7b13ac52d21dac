#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "telemetry/metric.h"
#include "telemetry/metric_store.h"

enum { MAGIC = 0x746d6532, BOOT_ID_SIZE = 40, LEFTS = 2, LOCK_STEP_NS = 1000000, SUM_TRIES = 1000, CACHE_LINE = 64 };

/* File locks: of the directory and of who lives, then one for each segment. */
enum { LOCK_FILE, LOCK_SEGMENTS };

/* One for each process, and one that all further ones share. */
enum { SHARED_SEGMENT = METRIC_PROCESSES_MAX, SEGMENTS };

struct segment {
    _Atomic uint32_t incarnation;            /* of its process; 0: none has it */
    _Atomic int32_t pid;
    _Atomic int64_t slots[METRIC_SLOTS];
    _Alignas(CACHE_LINE) _Atomic int64_t own[METRIC_OWNERS_MAX][METRIC_OWN_SLOTS];
};

/*
 * Which of the two sums of what is left counts, and which segment was the last to be folded into it. A fold writes the
 * other sum and then stores this word, which is the instant at which it has happened; the segment it names is not
 * looked at any more in that incarnation.
 */
struct fold {
    uint32_t incarnation;
    uint16_t segment;
    uint16_t left;
};
_Static_assert(sizeof(struct fold) == sizeof(uint64_t), "it is stored at once");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "processes share these");

struct head {
    uint32_t magic;
    char boot_id[BOOT_ID_SIZE];
    uint64_t layout;
};

struct page {
    struct head head;
    _Atomic uint64_t fold;
    _Atomic uint32_t names_count, slots_used, incarnations;
    struct metric_name names[METRIC_NAMES_MAX];
    int64_t left[LEFTS][METRIC_SLOTS];
    struct segment segments[SEGMENTS];
};

struct metric_store {
    int fd;                                  /* -1: memory of this process */
    struct page *page;
    unsigned segment;
    pthread_mutex_t lock;                    /* of the directory, among the threads */
};

/* ---- file locks: of the open file, so that they end with the process ---- */

static bool lock_set(int fd, short type, off_t at)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

    return fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool lock_is_free(int fd, off_t at)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

/* For as long as METRIC_LOCK_MS at most; whoever holds it does so for a moment. */
static bool lock_wait(int fd)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_NS};

    for (unsigned i = 0; i < METRIC_LOCK_MS; i++) {
        if (lock_set(fd, F_WRLCK, LOCK_FILE))
            return true;
        nanosleep(&step, NULL);
    }
    return false;
}

static void unlock(int fd)
{
    lock_set(fd, F_UNLCK, LOCK_FILE);
}

/* ---- folding ---- */

static struct fold fold_now(const struct page *page)
{
    uint64_t word = atomic_load(&page->fold);
    struct fold fold;

    memcpy(&fold, &word, sizeof fold);
    return fold;
}

static bool counts(const struct page *page, struct fold fold, unsigned at)
{
    uint32_t incarnation = atomic_load(&page->segments[at].incarnation);

    return incarnation != 0 && !(fold.segment == at && fold.incarnation == incarnation);
}

/* Slots of exemplars hold ids, whose sums mean nothing and are read by nobody, but may be of any size. */
static int64_t sum_of(int64_t left, int64_t right)
{
    return (int64_t)((uint64_t)left + (uint64_t)right);
}

static int64_t counted(const struct segment *segment, size_t slot)
{
    int64_t sum = atomic_load_explicit(&segment->slots[slot], memory_order_relaxed);

    for (unsigned i = 0; i < METRIC_OWNERS_MAX && slot < METRIC_OWN_SLOTS; i++)
        sum = sum_of(sum, atomic_load_explicit(&segment->own[i][slot], memory_order_relaxed));
    return sum;
}

static void clear(struct segment *segment, size_t used)
{
    for (size_t i = 0; i < used; i++)
        atomic_store_explicit(&segment->slots[i], 0, memory_order_relaxed);
    for (unsigned i = 0; i < METRIC_OWNERS_MAX; i++)
        for (size_t j = 0; j < used && j < METRIC_OWN_SLOTS; j++)
            atomic_store_explicit(&segment->own[i][j], 0, memory_order_relaxed);
    atomic_store(&segment->incarnation, 0);
}

/* What a fold before was killed in the middle of: the next one takes the word that says that it happened. */
static void finish_fold(struct page *page, struct fold now, size_t used)
{
    struct segment *segment = &page->segments[now.segment];

    if (now.incarnation && atomic_load(&segment->incarnation) == now.incarnation)
        clear(segment, used);
}

/* Under both locks, on the segment of a process that has ended. */
static void fold_segment(struct page *page, unsigned at)
{
    struct segment *segment = &page->segments[at];
    struct fold now = fold_now(page);
    size_t names = atomic_load(&page->names_count), used = atomic_load(&page->slots_used);
    uint64_t word;

    finish_fold(page, now, used);

    if (counts(page, now, at)) {
        struct fold next = {atomic_load(&segment->incarnation), (uint16_t)at, !now.left};

        memcpy(page->left[next.left], page->left[now.left], used * sizeof page->left[0][0]);
        for (size_t i = 0; i < names; i++)
            for (uint32_t j = 0; j < page->names[i].lasting; j++) {
                uint32_t slot = page->names[i].slot + j;
                page->left[next.left][slot] += counted(segment, slot);
            }
        memcpy(&word, &next, sizeof word);
        atomic_store(&page->fold, word);
    }
    clear(segment, used);
}

void metric_store_tidy(struct metric_store *store)
{
    struct page *page = store->page;

    if (store->fd < 0)
        return;
    pthread_mutex_lock(&store->lock);
    bool locked = false;
    for (unsigned i = 0; i < SEGMENTS; i++) {
        if (i == store->segment || !atomic_load(&page->segments[i].incarnation) ||
            !lock_is_free(store->fd, LOCK_SEGMENTS + i))
            continue;
        if (!locked && !(locked = lock_set(store->fd, F_WRLCK, LOCK_FILE)))
            break;
        if (lock_set(store->fd, F_WRLCK, LOCK_SEGMENTS + i)) {
            fold_segment(page, i);
            lock_set(store->fd, F_UNLCK, LOCK_SEGMENTS + i);
        }
    }
    if (locked)
        unlock(store->fd);
    pthread_mutex_unlock(&store->lock);
}

/* ---- opening ---- */

static void read_boot_id(char out[static BOOT_ID_SIZE])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    memset(out, 0, BOOT_ID_SIZE);
    if (!file)
        return;
    out[fread(out, 1, BOOT_ID_SIZE - 1, file)] = '\0';
    fclose(file);
}

static enum err failed(int error, const char *path, const char *what)
{
    bool is_full = error == ENOSPC || error == EFBIG || error == EDQUOT;

    return err_because(is_full ? ERR_STORAGE_FULL : ERR_IO, "metrics: %s %s: %s", what, path, strerror(error));
}

/* Opens the file that is there under this name, and holds its lock. */
static enum err open_locked(const char *path, int *ret_fd)
{
    struct stat opened, named;

    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
        if (fd < 0)
            return failed(errno, path, "open");
        if (!lock_wait(fd)) {
            close(fd);
            return err_because(ERR_BUSY, "metrics: %s is kept locked by another process", path);
        }
        if (fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino) {
            *ret_fd = fd;
            return ERR_NONE;
        }
        close(fd);   /* another has taken its place meanwhile */
    }
}

static enum err map(int fd, const char *path, struct page **ret)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    int error = fd < 0 ? 0 : posix_fallocate(fd, 0, sizeof(struct page));

    if (error)
        return failed(error, path, "make room in");
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
    if (page == MAP_FAILED)
        return fd < 0 ? err_because(ERR_MEMORY, "no memory for metrics") : failed(errno, path, "map");
    *ret = page;
    return ERR_NONE;
}

static void begin_page(struct page *page, uint64_t layout)
{
    page->head.layout = layout;
    read_boot_id(page->head.boot_id);
    atomic_store(&page->fold, 0);
    page->head.magic = MAGIC;   /* last: what is cut off before is no page */
}

static bool is_ours(int fd, uint64_t layout)
{
    struct stat status;
    struct head head;
    char boot_id[BOOT_ID_SIZE];

    read_boot_id(boot_id);
    return fstat(fd, &status) == 0 && status.st_size == (off_t)sizeof(struct page) &&
           pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head && head.magic == MAGIC && head.layout == layout &&
           memcmp(head.boot_id, boot_id, sizeof boot_id) == 0;
}

/* Whether a page that says it is one holds together: what it says of slots is where slots are. METRICS itself stands
 * for those that are nobody's. */
static bool is_sound(const struct page *page)
{
    struct fold fold = fold_now(page);
    uint32_t names = atomic_load(&page->names_count), used = atomic_load(&page->slots_used);

    if (names > METRIC_NAMES_MAX || used > METRIC_SLOTS || fold.left >= LEFTS || fold.segment >= SEGMENTS)
        return false;
    for (uint32_t i = 0; i < names; i++) {
        const struct metric_name *name = &page->names[i];
        if (name->metric > METRICS || name->slots > used || name->slot > used - name->slots ||
            name->lasting > name->slots || !memchr(name->labels, '\0', sizeof name->labels))
            return false;
    }
    return true;
}

/* A new file takes the place of one that cannot be used; who has that one open keeps it. Held locked like the other. */
static enum err replace(const char *path, uint64_t layout, int *fd, struct page **ret)
{
    char name[4096 + 8];

    if (snprintf(name, sizeof name, "%s.new", path) >= (int)sizeof name)
        return err_because(ERR_CONFIG, "metrics: %s is too long", path);
    unlink(name);
    int fresh = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
    if (fresh < 0)
        return failed(errno, name, "open");
    lock_set(fresh, F_WRLCK, LOCK_FILE);
    enum err err = map(fresh, name, ret);
    if (err) {
        unlink(name);
        close(fresh);
        return err;
    }
    begin_page(*ret, layout);
    if (rename(name, path) != 0) {
        err = failed(errno, name, "rename");
        munmap(*ret, sizeof **ret);
        close(fresh);
        return err;
    }
    close(*fd);
    *fd = fresh;
    return ERR_NONE;
}

static void occupy(struct metric_store *store, unsigned at)
{
    struct segment *segment = &store->page->segments[at];

    if (atomic_load(&segment->incarnation))
        fold_segment(store->page, at);
    atomic_store(&segment->pid, (int32_t)getpid());
    atomic_store(&segment->incarnation, atomic_fetch_add(&store->page->incarnations, 1) + 1);
}

/* The first segment that nobody holds; or the shared one, which is occupied by the first that comes to it. */
static void take_segment(struct metric_store *store)
{
    for (store->segment = 0; store->segment < SHARED_SEGMENT; store->segment++)
        if (lock_set(store->fd, F_WRLCK, LOCK_SEGMENTS + store->segment)) {
            occupy(store, store->segment);
            return;
        }
    if (lock_is_free(store->fd, LOCK_SEGMENTS + SHARED_SEGMENT))
        occupy(store, SHARED_SEGMENT);
    lock_set(store->fd, F_RDLCK, LOCK_SEGMENTS + SHARED_SEGMENT);
}

static enum err open_page(const char *path, uint64_t layout, int *ret_fd, struct page **ret)
{
    int fd = -1;

    if (!path) {
        enum err err = map(-1, NULL, ret);
        if (!err)
            begin_page(*ret, layout);
        *ret_fd = -1;
        return err;
    }
    enum err err = open_locked(path, &fd);
    if (err)
        return err;
    bool is_usable = is_ours(fd, layout);
    if (is_usable) {
        err = map(fd, path, ret);
        is_usable = err || is_sound(*ret);
        if (!is_usable)
            munmap(*ret, sizeof **ret);
    }
    if (!is_usable)
        err = replace(path, layout, &fd, ret);
    if (err)
        close(fd);
    else
        *ret_fd = fd;
    return err;
}

enum err metric_store_open(const char *path, uint64_t layout, struct metric_store **ret)
{
    struct metric_store *store = calloc(1, sizeof *store);

    if (!store)
        return err_because(ERR_MEMORY, "no memory for metrics");
    enum err err = open_page(path, layout, &store->fd, &store->page);
    if (err) {
        free(store);
        return err;
    }
    pthread_mutex_init(&store->lock, NULL);
    take_segment(store);
    unlock(store->fd);
    *ret = store;
    return ERR_NONE;
}

/* The segment is left to whoever folds it: that is one way for all ends. So is the memory, to the process's end: a
 * thread that lives on, as the log's does, may be in the middle of an addition. */
void metric_store_close(struct metric_store *store)
{
    if (!store)
        return;
    /* Said, since the memory keeps the file open, and with it the locks. */
    lock_set(store->fd, F_UNLCK, LOCK_SEGMENTS + store->segment);
    if (store->fd >= 0)
        close(store->fd);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* ---- names ---- */

_Atomic int64_t *metric_store_slots(struct metric_store *store)
{
    return store->page->segments[store->segment].slots;
}

_Atomic int64_t *metric_store_own(struct metric_store *store, unsigned owner)
{
    assert(owner < METRIC_OWNERS_MAX);
    return store->segment == SHARED_SEGMENT ? NULL : store->page->segments[store->segment].own[owner];
}

int64_t metric_store_value(const struct metric_store *store, size_t slot)
{
    return counted(&store->page->segments[store->segment], slot);
}

size_t metric_store_used(const struct metric_store *store)
{
    return atomic_load(&store->page->slots_used);
}

const struct metric_name *metric_store_names(const struct metric_store *store, size_t *ret_count)
{
    *ret_count = atomic_load_explicit(&store->page->names_count, memory_order_acquire);
    return store->page->names;
}

static const struct metric_name *find(const struct page *page, uint32_t metric, const char *labels)
{
    size_t count = atomic_load_explicit(&page->names_count, memory_order_acquire);

    for (size_t i = 0; i < count; i++)
        if (page->names[i].metric == metric && strcmp(page->names[i].labels, labels) == 0)
            return &page->names[i];
    return NULL;
}

const struct metric_name *metric_store_find(const struct metric_store *store, uint32_t metric, const char *labels)
{
    return find(store->page, metric, labels);
}

/* Under both locks. The count comes last, so that a name that is seen is whole. */
static enum err add(struct page *page, const struct metric_name *name, const struct metric_name **ret)
{
    uint32_t count = atomic_load(&page->names_count), used = atomic_load(&page->slots_used);

    if (count == METRIC_NAMES_MAX || name->slots > METRIC_SLOTS - used)
        return err_because(ERR_MEMORY, "no room for further series of metrics");
    page->names[count] = *name;
    page->names[count].slot = used;
    atomic_store(&page->slots_used, used + name->slots);
    atomic_store_explicit(&page->names_count, count + 1, memory_order_release);
    *ret = &page->names[count];
    return ERR_NONE;
}

enum err metric_store_name(struct metric_store *store, uint32_t metric, const char *labels, uint32_t slots,
                           uint32_t lasting, const struct metric_name **ret)
{
    struct metric_name name = {.metric = metric, .slots = slots, .lasting = lasting};
    const struct metric_name *found = find(store->page, metric, labels);
    enum err err = ERR_NONE;

    assert(strlen(labels) < sizeof name.labels && lasting <= slots);
    if (found) {
        *ret = found;
        return ERR_NONE;
    }
    snprintf(name.labels, sizeof name.labels, "%s", labels);
    pthread_mutex_lock(&store->lock);
    if (!lock_wait(store->fd)) {
        err = err_because(ERR_BUSY, "another process keeps the directory of metrics");
    } else {
        if ((found = find(store->page, metric, labels)))
            *ret = found;
        else
            err = add(store->page, &name, ret);
        unlock(store->fd);
    }
    pthread_mutex_unlock(&store->lock);
    return err;
}

/* ---- reading ---- */

static void add_up(const struct page *page, struct fold fold, int64_t *sums, size_t count)
{
    memcpy(sums, page->left[fold.left], count * sizeof *sums);
    for (unsigned i = 0; i < SEGMENTS; i++) {
        if (!counts(page, fold, i))
            continue;
        for (size_t j = 0; j < count; j++)
            sums[j] = sum_of(sums[j], counted(&page->segments[i], j));
    }
}

/* Folds are rare and short, so that it is the first try that counts; after so many, what there is will do. */
void metric_store_sum(struct metric_store *store, int64_t *ret_sums, size_t count)
{
    const struct page *page = store->page;

    for (unsigned tries = 0; tries < SUM_TRIES; tries++) {
        uint64_t before = atomic_load(&page->fold);
        struct fold fold;

        memcpy(&fold, &before, sizeof fold);
        add_up(page, fold, ret_sums, count);
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load(&page->fold) == before)
            return;
    }
}

void metric_store_each(struct metric_store *store,
                       void (*each)(void *context, pid_t pid, _Atomic int64_t *slots), void *context)
{
    struct page *page = store->page;
    struct fold fold = fold_now(page);

    for (unsigned i = 0; i < SEGMENTS; i++)
        if (counts(page, fold, i))
            each(context, atomic_load(&page->segments[i].pid), page->segments[i].slots);
}
