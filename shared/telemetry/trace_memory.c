#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "telemetry/trace_memory.h"

enum { WORD = sizeof(uint64_t) };

#define MAGIC UINT64_C(0x3130656361727454)     /* "Ttrace01": another form is another number */

/* Places count words ever written, and never go back; modulo the number of words they are places in the ring. What is
 * from tail to head is records: a word with the length in bytes, then as many words as that takes. */
struct page {
    _Atomic uint64_t magic, words;
    _Alignas(64) _Atomic uint64_t tail, head;
    _Alignas(64) _Atomic uint64_t data[];
};

/* File locks, past any data: who writes, and that somebody has it open. */
enum { LOCK_WRITER = 0x40000000, LOCK_OPEN };

struct trace_memory {
    int fd;
    struct page *page;
    size_t mapped_bytes;
    uint64_t words;            /* as they were at the opening: nobody else can make us look past the mapping */
    bool is_held;              /* the writer's */
};

static int file_lock(int fd, int command, short type, off_t at)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    int failed;
    do
        failed = fcntl(fd, command, &lock);
    while (failed && errno == EINTR);
    return failed;
}

static uint64_t words_of(uint64_t length)
{
    return 1 + (length + WORD - 1) / WORD;
}

/* ---- words: each is stored so that who sees it also sees what was given up for it ---- */

static uint64_t word_at(const struct trace_memory *memory, uint64_t place)
{
    return atomic_load_explicit(&memory->page->data[place % memory->words], memory_order_acquire);
}

static void set_run(_Atomic uint64_t *to, const char *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, from + i * WORD, WORD);
        atomic_store_explicit(&to[i], word, memory_order_release);
    }
}

/* Runs from a place to the end of the ring, and on from its beginning; the last word may be filled up. */
static void set_words(struct trace_memory *memory, uint64_t place, struct text bytes)
{
    uint64_t index = place % memory->words;
    size_t whole = bytes.length / WORD, rest = bytes.length % WORD, first = memory->words - index;
    first = first < whole ? first : whole;
    set_run(&memory->page->data[index], bytes.at, first);
    set_run(memory->page->data, bytes.at + first * WORD, whole - first);
    if (rest > 0) {
        uint64_t last = 0;
        memcpy(&last, bytes.at + whole * WORD, rest);
        atomic_store_explicit(&memory->page->data[(index + whole) % memory->words], last, memory_order_release);
    }
}

static void get_words(const struct trace_memory *memory, uint64_t place, char *out, size_t count)
{
    uint64_t index = place % memory->words;
    for (size_t i = 0; i < count; i++) {
        uint64_t word = atomic_load_explicit(&memory->page->data[index], memory_order_acquire);
        memcpy(out + i * WORD, &word, WORD);
        index = index + 1 == memory->words ? 0 : index + 1;
    }
}

/* ---- writing ---- */

static bool is_sound(const struct trace_memory *memory, uint64_t tail, uint64_t head)
{
    return tail <= head && head - tail <= memory->words && head <= UINT64_MAX - memory->words;
}

/* Gives up as many of the oldest as it takes. What makes no sense ends with all of it given up. */
static uint64_t make_room(const struct trace_memory *memory, uint64_t tail, uint64_t head, uint64_t needed)
{
    while (head + needed - tail > memory->words) {
        uint64_t length = word_at(memory, tail);
        if (length == 0 || length > memory->words * WORD || words_of(length) > head - tail)
            return head;
        tail += words_of(length);
    }
    return tail;
}

static void add(struct trace_memory *memory, struct text record)
{
    uint64_t tail = atomic_load(&memory->page->tail), head = atomic_load(&memory->page->head);
    uint64_t needed = words_of(record.length);
    if (!is_sound(memory, tail, head)) {
        atomic_store(&memory->page->tail, 0);
        atomic_store(&memory->page->head, 0);
        tail = head = 0;
    }
    atomic_store(&memory->page->tail, make_room(memory, tail, head, needed));
    uint64_t length = record.length;
    set_words(memory, head, (struct text){(const char *)&length, WORD});
    set_words(memory, head + 1, record);
    atomic_store(&memory->page->head, head + needed);
}

bool trace_memory_put(struct trace_memory *memory, struct text record)
{
    if (record.length == 0 || words_of(record.length) > memory->words / 4)
        return false;
    bool was_held = memory->is_held;
    trace_memory_hold(memory);
    if (!memory->is_held)
        return false;
    add(memory, record);
    if (!was_held)
        trace_memory_release(memory);
    return true;
}

void trace_memory_hold(struct trace_memory *memory)
{
    if (!memory->is_held)
        memory->is_held = file_lock(memory->fd, F_OFD_SETLKW, F_WRLCK, LOCK_WRITER) == 0;
}

void trace_memory_release(struct trace_memory *memory)
{
    if (memory->is_held)
        file_lock(memory->fd, F_OFD_SETLK, F_UNLCK, LOCK_WRITER);
    memory->is_held = false;
}

/* ---- reading ---- */

void trace_memory_read(struct trace_memory *memory, struct buf *out)
{
    uint64_t head = atomic_load(&memory->page->head), tail = atomic_load(&memory->page->tail);
    buf_reset(out, out->max_bytes);
    if (!is_sound(memory, tail, head))
        return;
    size_t length = (size_t)(head - tail) * WORD;
    char *to = buf_reserve(out, length);
    if (!to)
        return;
    get_words(memory, tail, to, (size_t)(head - tail));
    buf_commit(out, length);
    uint64_t now = atomic_load(&memory->page->tail);
    if (now < tail || now > head)
        buf_reset(out, out->max_bytes);
    else
        buf_consume(out, (size_t)(now - tail) * WORD);
}

bool trace_memory_next(struct text *rest, struct text *ret_record)
{
    uint64_t length;
    if (rest->length < WORD)
        return false;
    memcpy(&length, rest->at, WORD);
    if (length == 0 || length > rest->length - WORD || words_of(length) * WORD > rest->length)
        return false;
    *ret_record = (struct text){rest->at + WORD, (size_t)length};
    rest->at += words_of(length) * WORD;
    rest->length -= (size_t)words_of(length) * WORD;
    return true;
}

size_t trace_memory_size(const struct trace_memory *memory)
{
    return (size_t)memory->words * WORD;
}

/* ---- opening ---- */

static enum err io_failed(const char *doing, const char *path, int error)
{
    return err_because(error == ENOSPC || error == EDQUOT || error == EFBIG ? ERR_STORAGE_FULL : ERR_IO, "%s %s: %s",
                       doing, path, strerror(error));
}

/* Allocated whole: a page without a block on a full disk would be a signal at its first use. */
static enum err map(struct trace_memory *memory, const char *path, size_t size)
{
    int error = posix_fallocate(memory->fd, 0, (off_t)size);
    if (error)
        return io_failed("allocate", path, error);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    if (page == MAP_FAILED)
        return err_because(ERR_MEMORY, "map %s: %s", path, strerror(errno));
    memory->page = page;
    memory->mapped_bytes = size;
    return ERR_NONE;
}

static size_t file_size(uint64_t words)
{
    return sizeof(struct page) + (size_t)words * WORD;
}

/* What was there of this size stays: it is of a moment ago, after a restart. */
static enum err begin(struct trace_memory *memory, const char *path, uint64_t words)
{
    uint64_t was[2] = {0, 0};
    if (pread(memory->fd, was, sizeof was, 0) != (ssize_t)sizeof was || was[0] != MAGIC || was[1] != words) {
        if (ftruncate(memory->fd, 0))
            return io_failed("truncate", path, errno);
    } else if (ftruncate(memory->fd, (off_t)file_size(words))) {
        return io_failed("truncate", path, errno);
    }
    enum err err = map(memory, path, file_size(words));
    if (err)
        return err;
    memory->words = words;
    atomic_store(&memory->page->words, words);
    atomic_store(&memory->page->magic, MAGIC);
    return ERR_NONE;
}

/* Others have it open: it is of the size that they gave it. */
static enum err join(struct trace_memory *memory, const char *path)
{
    uint64_t was[2] = {0, 0};
    if (pread(memory->fd, was, sizeof was, 0) != (ssize_t)sizeof was || was[0] != MAGIC ||
        was[1] > TRACE_MEMORY_MOST_BYTES / WORD || was[1] < TRACE_MEMORY_LEAST_BYTES / WORD)
        return err_because(ERR_IO, "%s is in use, and is no memory of traces", path);
    enum err err = map(memory, path, file_size(was[1]));
    if (!err)
        memory->words = was[1];
    return err;
}

static enum err open_file(struct trace_memory *memory, const char *path, size_t size_bytes)
{
    memory->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (memory->fd < 0)
        return io_failed("open", path, errno);
    if (file_lock(memory->fd, F_OFD_SETLKW, F_WRLCK, LOCK_WRITER))
        return io_failed("lock", path, errno);
    bool is_alone = file_lock(memory->fd, F_OFD_SETLK, F_WRLCK, LOCK_OPEN) == 0;
    enum err err = is_alone ? begin(memory, path, size_bytes / WORD) : join(memory, path);
    if (!err && file_lock(memory->fd, F_OFD_SETLKW, F_RDLCK, LOCK_OPEN))
        err = io_failed("lock", path, errno);
    file_lock(memory->fd, F_OFD_SETLK, F_UNLCK, LOCK_WRITER);
    return err;
}

enum err trace_memory_open(const char *path, size_t size_bytes, struct trace_memory **ret)
{
    assert(size_bytes >= TRACE_MEMORY_LEAST_BYTES && size_bytes <= TRACE_MEMORY_MOST_BYTES);
    struct trace_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return err_because(ERR_MEMORY, "no memory for recent traces");
    memory->fd = -1;
    enum err err = open_file(memory, path, size_bytes);
    if (err)
        trace_memory_close(memory);
    else
        *ret = memory;
    return err;
}

void trace_memory_close(struct trace_memory *memory)
{
    if (!memory)
        return;
    if (memory->page)
        munmap(memory->page, memory->mapped_bytes);
    if (memory->fd >= 0)
        close(memory->fd);
    free(memory);
}
