/*
 * The journal, as the auditor reads it: what clients asked, and what they were told, in the order they heard it.
 *
 * A line is a JSON object for each answer, or for none (status 0):
 *     {"op": "order", "key": "k-17", "attempt": 1, "status": 201, "digest": "…", "id": "…", "user": "…",
 *      "lines": "sku-1*2 sku-3*1", "total": 3750, "currency": "EUR", "method": "sandbox_approve"}
 *     {"op": "cancel", "key": "c-4", "attempt": 1, "status": 200, "digest": "…", "id": "…"}
 *     {"op": "stock", "key": "s-9", "attempt": 2, "status": 200, "digest": "…", "sku": "sku-1", "delta": 5}
 *     {"op": "mark", "key": "", "attempt": 0, "status": 0, "digest": ""}
 * digest is of the answer's body. The key of a change of stock is also its reason, and no two operations share one.
 */
#ifndef TANDEM_CHECK_TORTURE_AUDITOR_JOURNAL_H
#define TANDEM_CHECK_TORTURE_AUDITOR_JOURNAL_H

#include <sqlite3.h>
#include <stdbool.h>

/** Makes the tables answer and open_key (keys that were never answered for good) in the main schema, and fills them.
 *  Of a system that was restored from a backup, marks tells by which mark of the journal it was made: what was answered
 *  after that may be there or not, and is not sure; 0 for one that was not restored.
 *  False with sqlite3_errmsg() when a line is not as above, or the file cannot be read. */
bool journal_read(sqlite3 *db, const char *path, unsigned marks);

/** Once the databases are at rest: tables of their events, charges, refunds and movements of stock, by what they are
 *  looked for by. A script. */
extern const char journal_prepare[];

#endif
