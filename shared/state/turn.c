#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "state/turn.h"

/* Tickets that have a line of their own at a time: at least one for each who may hold one. */
enum { TICKETS = 512, FUTEX_BITS = 32 };

/* Numbers of tickets wrap; they are compared by their difference. */
struct page {
    _Atomic uint32_t next;                  /* ticket to be drawn */
    _Atomic uint32_t serving;               /* whose turn it is; those who wait sleep on it */
    _Atomic uint32_t holders[TICKETS];      /* 1 + the place of who drew it; 0: given up */
};

/* File locks, past the page: one to look after the page, then one for each place. */
enum { LOCK_PAGE = sizeof(struct page), LOCK_PLACES };

static_assert((int)TICKETS >= 2 * (int)TURN_PLACES && TICKETS % FUTEX_BITS == 0, "tickets would meet");
static_assert(ATOMIC_INT_LOCK_FREE == 2, "processes share these");

struct turn {
    int fd;
    struct page *page;
    unsigned place;
    uint32_t ticket;
    bool held;
};

/* ---- file locks: of the open file, so that they hold between threads too and end with it ---- */

static int file_lock(int fd, int command, short type, off_t at, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = length};
    int failed;
    do
        failed = fcntl(fd, command, &lock);
    while (failed && errno == EINTR);
    return failed ? -1 : lock.l_type;
}

static bool is_taken(int fd, off_t at, off_t length)
{
    return file_lock(fd, F_OFD_GETLK, F_WRLCK, at, length) != F_UNLCK;
}

/* ---- waiting and waking ---- */

static uint32_t bit_of(uint32_t ticket)
{
    return UINT32_C(1) << (ticket % FUTEX_BITS);
}

/* Until ticket is served, or a moment has passed. False for the latter. */
static bool wait_a_moment(struct page *page, uint32_t serving, uint32_t ticket)
{
    int64_t until_ns = clock_now_ns() + TURN_CHECK_MS * NS_PER_MS;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    return syscall(SYS_futex, &page->serving, FUTEX_WAIT_BITSET, serving, &until, NULL, bit_of(ticket)) == 0 ||
           errno != ETIMEDOUT;
}

static void wake(struct page *page, uint32_t ticket)
{
    if (atomic_load(&page->next) != ticket)
        syscall(SYS_futex, &page->serving, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, bit_of(ticket));
}

/* From this ticket to the next. False when somebody else has done so. */
static bool serve_next(struct page *page, uint32_t ticket)
{
    if (!atomic_compare_exchange_strong(&page->serving, &ticket, ticket + 1))
        return false;
    wake(page, ticket + 1);
    return true;
}

/* Passes over tickets that were given up, and those of who has died. */
static void pass_over_absent(struct turn *turn)
{
    struct page *page = turn->page;
    for (unsigned i = 0; i < TICKETS; i++) {
        uint32_t ticket = atomic_load(&page->serving);
        uint32_t holder = atomic_load(&page->holders[ticket % TICKETS]);
        bool none_waits = ticket == atomic_load(&page->next);
        bool is_there = holder > 0 && holder <= TURN_PLACES && is_taken(turn->fd, LOCK_PLACES + holder - 1, 1);
        if (none_waits || is_there || !serve_next(page, ticket))
            return;
    }
}

bool turn_take(struct turn *turn, unsigned timeout_ms)
{
    struct page *page = turn->page;
    uint32_t ticket = atomic_fetch_add(&page->next, 1), serving;
    atomic_store(&page->holders[ticket % TICKETS], turn->place + 1);
    turn->ticket = ticket;
    turn->held = true;
    if (atomic_load(&page->serving) == ticket)
        return true;
    int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
    while ((int32_t)((serving = atomic_load(&page->serving)) - ticket) < 0) {
        if (clock_now_ns() >= until_ns) {
            atomic_store(&page->holders[ticket % TICKETS], 0);
            turn->held = false;
            return false;
        }
        if (!wait_a_moment(page, serving, ticket) && atomic_load(&page->serving) == serving)
            pass_over_absent(turn);
    }
    return true;
}

void turn_pass(struct turn *turn)
{
    if (!turn->held)
        return;
    turn->held = false;
    serve_next(turn->page, turn->ticket);
}

/* ---- joining and leaving ---- */

/* When nobody is there, what the page says is of those who have gone, or of another start of the machine. */
static void clear_when_alone(struct turn *turn)
{
    if (!is_taken(turn->fd, LOCK_PLACES, TURN_PLACES))
        memset(turn->page, 0, sizeof *turn->page);
}

/* Who had the place before has ended, and may have left tickets that would now look like ours. */
static void clear_tickets_of(struct turn *turn, unsigned place)
{
    for (unsigned i = 0; i < TICKETS; i++) {
        uint32_t theirs = place + 1;
        atomic_compare_exchange_strong(&turn->page->holders[i], &theirs, 0);
    }
}

static enum err take_place(struct turn *turn)
{
    for (unsigned place = 0; place < TURN_PLACES; place++)
        if (file_lock(turn->fd, F_OFD_SETLK, F_WRLCK, LOCK_PLACES + place, 1) >= 0) {
            clear_tickets_of(turn, place);
            turn->place = place;
            return ERR_NONE;
        }
    return err_because(ERR_BUSY, "%d processes write to this database already", TURN_PLACES);
}

/* The file is allocated whole: a page without a block on a full disk would be a signal at its first use. */
static enum err join(struct turn *turn, const char *path)
{
    turn->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (turn->fd < 0)
        return err_because(ERR_STORAGE, "open %s: %s", path, strerror(errno));
    if (file_lock(turn->fd, F_OFD_SETLKW, F_WRLCK, LOCK_PAGE, 1) < 0)
        return err_because(ERR_STORAGE, "lock %s: %s", path, strerror(errno));
    int error = posix_fallocate(turn->fd, 0, sizeof *turn->page);
    if (error)
        return err_because(error == ENOSPC || error == EDQUOT || error == EFBIG ? ERR_STORAGE_FULL : ERR_STORAGE,
                           "allocate %s: %s", path, strerror(error));
    turn->page = mmap(NULL, sizeof *turn->page, PROT_READ | PROT_WRITE, MAP_SHARED, turn->fd, 0);
    if (turn->page == MAP_FAILED)
        return err_because(ERR_MEMORY, "map %s: %s", path, strerror(errno));
    clear_when_alone(turn);
    enum err err = take_place(turn);
    file_lock(turn->fd, F_OFD_SETLK, F_UNLCK, LOCK_PAGE, 1);
    return err;
}

enum err turn_open(const char *path, struct turn **ret)
{
    struct turn *turn = calloc(1, sizeof *turn);
    if (!turn)
        return err_because(ERR_MEMORY, "open %s: out of memory", path);
    turn->fd = -1;
    turn->page = MAP_FAILED;
    enum err err = join(turn, path);
    if (err)
        turn_close(turn);
    else
        *ret = turn;
    return err;
}

void turn_close(struct turn *turn)
{
    if (!turn)
        return;
    turn_pass(turn);
    if (turn->page != MAP_FAILED)
        munmap(turn->page, sizeof *turn->page);
    if (turn->fd >= 0)
        close(turn->fd);
    free(turn);
}
