/*
 * Checks: questions about a process's health that may take long, or hang. All are asked at once, each by a thread of
 * its own, so that one that hangs is told of and holds up no other; many who ask at the same time share one answer,
 * which is told again for a while, so that asking cannot load the system.
 *
 * One more thread looks after the time and tells those who wait. Who asks never blocks.
 */
#ifndef TANDEM_APP_CHECKS_H
#define TANDEM_APP_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct checks;

/* Who asks for one also asks for those before it. */
enum check_scope {
    CHECK_LOCAL,       /* the process and what it holds */
    CHECK_NEEDS,       /* what it needs from others, too */
};

struct check {
    const char *name;                     /* also of its thread */
    enum check_scope scope;
    enum err (*run)(void *context);       /* on its thread; may block. An error with its cause: something is wrong */
};

struct check_limits {
    unsigned cache_ms;                    /* an answer is told again for so long */
    unsigned timeout_ms[CHECK_NEEDS + 1]; /* by scope: what takes longer has failed, and is told to go on */
};

enum { CHECK_CAUSE_SIZE = 256 };

struct check_result {
    enum err err;                         /* ERR_DEADLINE: it took too long, and goes on; ERR_AGAIN: never made */
    int64_t duration_ns;
    int64_t checked_us;                   /* wall time when it was known */
    char cause[CHECK_CAUSE_SIZE];         /* "" with ERR_NONE */
};

/* One who waits, in the asker's own storage until done is called. */
struct check_wait {
    void (*done)(struct check_wait *wait);   /* on a thread of the checks, without a lock; must not block */
    enum check_scope scope;                  /* from here on it is the checks' */
    int64_t oldest_ns;
    struct check_wait *next;
};

/** Starts the threads. rows and context must outlive them. ERR_MEMORY. */
enum err must_check checks_open(const struct check *rows, size_t count, void *context, struct checks **ret);

/** Waits for checks that are being made, ends the threads, and tells those who still wait. Nobody may ask any more.
 *  NULL is fine. */
void checks_close(struct checks *checks);

/**
 * Asks for all of a scope. True when the answers are there already; otherwise wait->done is called when they are, which
 * is after the longest of the scope's timeouts at the latest. Any thread; never blocks.
 */
bool checks_ask(struct checks *checks, const struct check_limits *limits, enum check_scope scope,
                struct check_wait *wait);

/** The latest answer of a row. Any thread. */
void checks_result(struct checks *checks, size_t row, struct check_result *ret);

#endif
