/*
 * What the fake gateway has in its SQLite file: intents, charges, refunds, and the answers to keys. For fake_gateway.c,
 * which sees to it that one thread at a time is here.
 */
#ifndef TANDEM_CHECK_HARNESS_FAKE_GATEWAY_LEDGER_H
#define TANDEM_CHECK_HARNESS_FAKE_GATEWAY_LEDGER_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { LEDGER_WORD_SIZE = 128 };

struct ledger_intent {
    char id[LEDGER_WORD_SIZE], order_id[LEDGER_WORD_SIZE], currency[8], status[LEDGER_WORD_SIZE];
    char code[LEDGER_WORD_SIZE], decline_code[LEDGER_WORD_SIZE], cancellation_reason[LEDGER_WORD_SIZE];
    int64_t amount;
};

/** Makes the file anew. Aborts when it cannot. */
sqlite3 *ledger_open(const char *path);
void ledger_close(sqlite3 *db);

/** Runs a statement whose parameters are these texts, NULL ends them. Aborts on an error. Returns the changes. */
int ledger_run(sqlite3 *db, const char *sql, ...) __attribute__((sentinel));

/** The first column of the first row as a text or a number. False when there is no row. */
bool ledger_text(sqlite3 *db, char *out, size_t size, const char *sql, const char *parameter);
int64_t ledger_number(sqlite3 *db, const char *sql, const char *parameter, int64_t otherwise);

/** An intent by its id. */
bool ledger_intent(sqlite3 *db, const char *id, struct ledger_intent *ret);

/* ---- operations: each writes the body of its answer and returns the status ---- */

/** A form's value, decoded, "" when it is not there. */
void ledger_form(const char *form, const char *name, char *out, size_t size);

int ledger_charge(sqlite3 *db, const char *key, const char *form, struct buf *out);
int ledger_cancel(sqlite3 *db, const char *id, const char *form, struct buf *out);
int ledger_retrieve(sqlite3 *db, const char *id, struct buf *out);
int ledger_search(sqlite3 *db, const char *order_id, struct buf *out);
int ledger_refund(sqlite3 *db, const char *key, const char *form, struct buf *out);
int ledger_refunds(sqlite3 *db, const char *intent, struct buf *out);

/** An error's body; code and param may be NULL. Returns the status. */
int ledger_error(struct buf *out, int status, const char *type, const char *code, const char *param);

struct json_writer;
void ledger_write_intent(struct json_writer *writer, const struct ledger_intent *intent);
void ledger_write_refund(struct json_writer *writer, const char *id, const struct ledger_intent *intent);

#endif
