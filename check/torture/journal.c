#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/torture/journal.h"

struct journal {
    pthread_mutex_t lock;
    FILE *file;
};

enum err journal_open(const char *path, struct journal **ret)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return err_because(ERR_MEMORY, "no memory for the journal");
    journal->file = fopen(path, "we");
    if (!journal->file) {
        free(journal);
        return err_because(ERR_IO, "open %s: %s", path, strerror(errno));
    }
    pthread_mutex_init(&journal->lock, NULL);
    *ret = journal;
    return ERR_NONE;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    fclose(journal->file);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

/* FNV-1a: the auditor only compares answers to one key. */
static uint64_t digest_of(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Nothing that is written has a character that JSON would have escaped. */
static void member(FILE *file, const char *name, const char *value)
{
    if (value)
        fprintf(file, ", \"%s\": \"%s\"", name, value);
}

void journal_mark(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    fputs("{\"op\": \"mark\", \"key\": \"\", \"attempt\": 0, \"status\": 0, \"digest\": \"\"}\n", journal->file);
    fflush(journal->file);
    pthread_mutex_unlock(&journal->lock);
}

void journal_add(struct journal *journal, const struct journal_entry *entry, const struct http_answer *answer)
{
    FILE *file = journal->file;
    pthread_mutex_lock(&journal->lock);
    fprintf(file, "{\"op\": \"%s\", \"key\": \"%s\", \"attempt\": %u, \"status\": %d, \"digest\": \"%016" PRIx64 "\"",
            entry->op, entry->key, entry->attempt, answer->status, digest_of(answer->body, answer->body_bytes));
    member(file, "id", entry->id);
    member(file, "user", entry->user);
    member(file, "lines", entry->lines);
    member(file, "currency", entry->currency);
    member(file, "method", entry->method);
    member(file, "sku", entry->sku);
    fprintf(file, ", \"total\": %" PRId64 ", \"delta\": %" PRId64 "}\n", entry->total, entry->delta);
    fflush(file);
    pthread_mutex_unlock(&journal->lock);
}
