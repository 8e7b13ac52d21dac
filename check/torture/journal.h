/*
 * The journal, as it is written: see auditor_journal.h for what a line has. Any thread; each line is whole.
 */
#ifndef TANDEM_CHECK_TORTURE_JOURNAL_H
#define TANDEM_CHECK_TORTURE_JOURNAL_H

#include <stdint.h>

#include "base/err.h"
#include "check/harness/http_client.h"

struct journal;

/* What was asked, and what names it. Only what the operation has is set. */
struct journal_entry {
    const char *op, *key;
    const char *id, *user, *lines, *currency, *method, *sku;
    int64_t total, delta;
    unsigned attempt;
};

/** Begins a new file. ERR_IO. */
enum err must_check journal_open(const char *path, struct journal **ret);
void journal_close(struct journal *journal);

/** Marks that a backup is about to be made. What was answered before is in it; what was answered later may be. */
void journal_mark(struct journal *journal);

void journal_add(struct journal *journal, const struct journal_entry *entry, const struct http_answer *answer);

#endif
