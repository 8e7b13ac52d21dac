/*
 * Copying a database's rows to another one, on whichever engines the two are.
 *
 * What is copied is the source as of one moment: a snapshot, so that nobody who uses it is held up, and nobody who goes
 * on using it gets into the copy by half. It is not held still, since that would not make a move of it: what is written
 * after the moment is not in the copy, whether those who write had to wait before or not. Who moves a system copies
 * while it runs, leaving the copy unfinished, stops it, and copies again, which brings over what has changed.
 *
 * From the first moment on until it is finished the copy is marked as unfinished, by a migration that only this knows,
 * so that no service starts on it. Copying to one that was cut off goes on with it: what is there already is compared,
 * and only what differs is written.
 *
 * It is finished when all tables have been read back and their digests (state/table_digest.h) are those of what was
 * read from the source.
 */
#ifndef TANDEM_STATE_COPY_H
#define TANDEM_STATE_COPY_H

#include "state/migrate.h"
#include "state/table_digest.h"

struct copy_opts {
    struct db *from, *to;                      /* opened and not started; to is started */
    const struct migration_set *sets;          /* of which from is, and to becomes */
    size_t set_count;
    bool unfinished;                           /* leave it so */
    table_told *told;                          /* how far it has come; may be NULL */
    void *context;
};

struct copy_result {
    struct table_digests digests;
    int64_t moment_us;                         /* of which the copy is */
    int64_t written, removed;                  /* rows */
};

/** ERR_STORAGE with a cause when the source is of another schema, or the copy does not read back as it was written;
 *  ERR_CONFLICT for a target that holds something else; ERR_BUSY while another one copies to it; and what either
 *  database says, with the table and the key of a row that was refused. Waits for both; on no reactor. */
enum err must_check copy_run(const struct copy_opts *opts, struct copy_result *ret);

#endif
