#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "base/json_write.h"
#include "base/text.h"
#include "check/harness/fake_gateway_ledger.h"

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
    "CREATE TABLE intent (id TEXT PRIMARY KEY, order_id TEXT NOT NULL, key TEXT NOT NULL, amount BIGINT NOT NULL,"
    " currency TEXT NOT NULL, method TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL,"
    " decline_code TEXT NOT NULL, cancellation_reason TEXT NOT NULL);"
    "CREATE INDEX intent_order ON intent (order_id);"
    "CREATE TABLE charge (key TEXT NOT NULL, amount_minor BIGINT NOT NULL, currency TEXT NOT NULL,"
    " intent TEXT NOT NULL);"
    "CREATE INDEX charge_intent ON charge (intent);"
    "CREATE TABLE refund (key TEXT NOT NULL, amount_minor BIGINT NOT NULL, currency TEXT NOT NULL,"
    " intent TEXT NOT NULL, id TEXT NOT NULL);"
    "CREATE INDEX refund_intent ON refund (intent);"
    "CREATE TABLE answer (key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL);";

/* The gateway's test payment methods, and what becomes of a charge with them. */
static const struct method {
    const char *name, *status, *code, *decline_code;
} methods[] = {
    {"pm_card_visa", "succeeded", "", ""},
    {"pm_card_mastercard", "succeeded", "", ""},
    {"pm_card_visa_chargeDeclined", "requires_payment_method", "card_declined", "generic_decline"},
    {"pm_card_visa_chargeDeclinedInsufficientFunds", "requires_payment_method", "card_declined", "insufficient_funds"},
    {"pm_card_visa_chargeDeclinedLostCard", "requires_payment_method", "card_declined", "lost_card"},
    {"pm_card_visa_chargeDeclinedStolenCard", "requires_payment_method", "card_declined", "stolen_card"},
    {"pm_card_visa_chargeDeclinedVelocityLimitExceeded", "requires_payment_method", "card_declined",
     "card_velocity_exceeded"},
    {"pm_card_chargeDeclinedExpiredCard", "requires_payment_method", "expired_card", "expired_card"},
    {"pm_card_chargeDeclinedIncorrectCvc", "requires_payment_method", "incorrect_cvc", "incorrect_cvc"},
    {"pm_card_chargeDeclinedProcessingError", "requires_payment_method", "processing_error", "processing_error"},
    {"pm_card_authenticationRequired", "requires_action", "", ""},
    {"pm_usBankAccount_processing", "processing", "", ""},
};

/* ---- SQL ---- */

static void check(sqlite3 *db, int code, const char *sql)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return;
    fprintf(stderr, "fake gateway: %s: %s\n", sqlite3_errmsg(db), sql);
    abort();
}

sqlite3 *ledger_open(const char *path)
{
    sqlite3 *db;
    unlink(path);
    check(NULL, sqlite3_open(path, &db), path);
    sqlite3_busy_timeout(db, 10000);
    check(db, sqlite3_exec(db, schema, NULL, NULL, NULL), schema);
    return db;
}

void ledger_close(sqlite3 *db)
{
    sqlite3_close(db);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql, const char *parameter)
{
    sqlite3_stmt *statement;
    check(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL), sql);
    if (parameter)
        sqlite3_bind_text(statement, 1, parameter, -1, SQLITE_TRANSIENT);
    return statement;
}

int ledger_run(sqlite3 *db, const char *sql, ...)
{
    sqlite3_stmt *statement = prepare(db, sql, NULL);
    va_list parameters;
    const char *parameter;
    va_start(parameters, sql);
    for (int i = 1; (parameter = va_arg(parameters, const char *)); i++)
        sqlite3_bind_text(statement, i, parameter, -1, SQLITE_TRANSIENT);
    va_end(parameters);
    check(db, sqlite3_step(statement), sql);
    sqlite3_finalize(statement);
    return sqlite3_changes(db);
}

static void copy(sqlite3_stmt *row, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    snprintf(out, size, "%s", text ? text : "");
}

bool ledger_text(sqlite3 *db, char *out, size_t size, const char *sql, const char *parameter)
{
    sqlite3_stmt *row = prepare(db, sql, parameter);
    int code = sqlite3_step(row);
    check(db, code, sql);
    if (code == SQLITE_ROW)
        copy(row, 0, out, size);
    sqlite3_finalize(row);
    return code == SQLITE_ROW;
}

int64_t ledger_number(sqlite3 *db, const char *sql, const char *parameter, int64_t otherwise)
{
    sqlite3_stmt *row = prepare(db, sql, parameter);
    int code = sqlite3_step(row);
    check(db, code, sql);
    int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(row, 0) : otherwise;
    sqlite3_finalize(row);
    return number;
}

#define INTENT "SELECT id, order_id, currency, status, code, decline_code, cancellation_reason, amount FROM intent "

static void read_intent(sqlite3_stmt *row, struct ledger_intent *ret)
{
    copy(row, 0, ret->id, sizeof ret->id);
    copy(row, 1, ret->order_id, sizeof ret->order_id);
    copy(row, 2, ret->currency, sizeof ret->currency);
    copy(row, 3, ret->status, sizeof ret->status);
    copy(row, 4, ret->code, sizeof ret->code);
    copy(row, 5, ret->decline_code, sizeof ret->decline_code);
    copy(row, 6, ret->cancellation_reason, sizeof ret->cancellation_reason);
    ret->amount = sqlite3_column_int64(row, 7);
}

bool ledger_intent(sqlite3 *db, const char *id, struct ledger_intent *ret)
{
    sqlite3_stmt *row = prepare(db, INTENT "WHERE id = ?1", id);
    int code = sqlite3_step(row);
    check(db, code, INTENT);
    if (code == SQLITE_ROW)
        read_intent(row, ret);
    sqlite3_finalize(row);
    return code == SQLITE_ROW;
}

/* ---- forms ---- */

void ledger_form(const char *form, const char *name, char *out, size_t size)
{
    struct text rest = text_of(form);
    out[0] = '\0';
    while (rest.at && rest.length > 0) {
        struct text value = text_split(&rest, '&'), key = text_split(&value, '=');
        char decoded[1024];
        size_t length = 0;
        if (key.length > sizeof decoded || value.length > sizeof decoded ||
            text_percent_decode(key, true, decoded, &length) != ERR_NONE ||
            !text_equal_string((struct text){decoded, length}, name) ||
            text_percent_decode(value, true, decoded, &length) != ERR_NONE)
            continue;
        snprintf(out, size, "%.*s", (int)length, decoded);
        return;
    }
}

/* ---- bodies ---- */

static void write_failure(struct json_writer *writer, const struct ledger_intent *intent)
{
    json_member_string(writer, "type", "card_error");
    json_member_string(writer, "code", intent->code);
    json_member_string(writer, "decline_code", intent->decline_code);
    json_member_string(writer, "message", "Your card was declined.");
}

static void write_metadata(struct json_writer *writer, const char *order_id)
{
    json_key(writer, "metadata");
    json_object_begin(writer);
    if (*order_id)
        json_member_string(writer, "order_id", order_id);
    json_object_end(writer);
}

void ledger_write_intent(struct json_writer *writer, const struct ledger_intent *intent)
{
    json_object_begin(writer);
    json_member_string(writer, "id", intent->id);
    json_member_string(writer, "object", "payment_intent");
    json_member_integer(writer, "amount", intent->amount);
    json_member_string(writer, "currency", intent->currency);
    json_member_text(writer, "cancellation_reason", *intent->cancellation_reason ? text_of(intent->cancellation_reason)
                                                                                 : TEXT_NONE);
    json_member_boolean(writer, "livemode", false);
    write_metadata(writer, intent->order_id);
    json_key(writer, "last_payment_error");
    if (*intent->code) {
        json_object_begin(writer);
        write_failure(writer, intent);
        json_object_end(writer);
    } else {
        json_null(writer);
    }
    json_member_string(writer, "status", intent->status);
    json_object_end(writer);
}

void ledger_write_refund(struct json_writer *writer, const char *id, const struct ledger_intent *intent)
{
    json_object_begin(writer);
    json_member_string(writer, "id", id);
    json_member_string(writer, "object", "refund");
    json_member_integer(writer, "amount", intent->amount);
    json_member_string(writer, "currency", intent->currency);
    json_member_string(writer, "payment_intent", intent->id);
    write_metadata(writer, intent->order_id);
    json_member_string(writer, "status", "succeeded");
    json_object_end(writer);
}

int ledger_error(struct buf *out, int status, const char *type, const char *code, const char *param)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, "error");
    json_object_begin(&writer);
    json_member_string(&writer, "type", type);
    if (code)
        json_member_string(&writer, "code", code);
    if (param)
        json_member_string(&writer, "param", param);
    json_member_string(&writer, "message", "Said by a gateway that is none.");
    json_object_end(&writer);
    json_object_end(&writer);
    return status;
}

static int say_intent(const struct ledger_intent *intent, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    ledger_write_intent(&writer, intent);
    return 200;
}

static int say_intent_error(const struct ledger_intent *intent, int status, const char *type, const char *code,
                            struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, "error");
    json_object_begin(&writer);
    if (status == 402) {
        write_failure(&writer, intent);
    } else {
        json_member_string(&writer, "type", type);
        json_member_string(&writer, "code", code);
    }
    json_key(&writer, "payment_intent");
    ledger_write_intent(&writer, intent);
    json_object_end(&writer);
    json_object_end(&writer);
    return status;
}

/* ---- operations ---- */

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    }
    return NULL;
}

static void charge_for(sqlite3 *db, const char *id)
{
    ledger_run(db, "INSERT INTO charge SELECT key, amount, upper(currency), id FROM intent WHERE id = ?1"
                   " AND status = 'succeeded'", id, NULL);
}

int ledger_charge(sqlite3 *db, const char *key, const char *form, struct buf *out)
{
    char amount[32], name[LEDGER_WORD_SIZE], confirm[8], redirects[16], made[ID_SIZE];
    struct ledger_intent intent = {.amount = 0};
    ledger_form(form, "amount", amount, sizeof amount);
    ledger_form(form, "currency", intent.currency, sizeof intent.currency);
    ledger_form(form, "payment_method", name, sizeof name);
    ledger_form(form, "confirm", confirm, sizeof confirm);
    ledger_form(form, "automatic_payment_methods[allow_redirects]", redirects, sizeof redirects);
    ledger_form(form, "metadata[order_id]", intent.order_id, sizeof intent.order_id);
    intent.amount = strtoll(amount, NULL, 10);
    const struct method *method = find_method(name);
    if (!method)
        return ledger_error(out, 400, "invalid_request_error", "resource_missing", "payment_method");
    if (intent.amount < 50)
        return ledger_error(out, 400, "invalid_request_error", "amount_too_small", "amount");
    bool is_confirmed = strcmp(confirm, "true") == 0;
    if (strlen(intent.currency) != 3 || !*confirm || strcmp(redirects, "never") != 0)
        return ledger_error(out, 400, "invalid_request_error", "parameter_missing", "confirm");
    snprintf(intent.id, sizeof intent.id, "pi_%.8s%.4s%.4s%s", id_new(made), made + 9, made + 14, made + 24);
    snprintf(intent.status, sizeof intent.status, "%s", is_confirmed ? method->status : "requires_confirmation");
    if (is_confirmed) {
        snprintf(intent.code, sizeof intent.code, "%s", method->code);
        snprintf(intent.decline_code, sizeof intent.decline_code, "%s", method->decline_code);
    }
    ledger_run(db, "INSERT INTO intent VALUES (?1, ?2, ?3, CAST(?4 AS INTEGER), ?5, ?6, ?7, ?8, ?9, '')", intent.id,
               intent.order_id, key, amount, intent.currency, method->name, intent.status, intent.code,
               intent.decline_code, NULL);
    charge_for(db, intent.id);
    return *intent.code ? say_intent_error(&intent, 402, NULL, NULL, out) : say_intent(&intent, out);
}

int ledger_cancel(sqlite3 *db, const char *id, const char *form, struct buf *out)
{
    struct ledger_intent intent;
    char reason[LEDGER_WORD_SIZE];
    ledger_form(form, "cancellation_reason", reason, sizeof reason);
    if (!ledger_intent(db, id, &intent))
        return ledger_error(out, 404, "invalid_request_error", "resource_missing", "intent");
    if (strcmp(intent.status, "succeeded") == 0 || strcmp(intent.status, "canceled") == 0)
        return say_intent_error(&intent, 400, "invalid_request_error", "payment_intent_unexpected_state", out);
    ledger_run(db, "UPDATE intent SET status = 'canceled', cancellation_reason = ?2 WHERE id = ?1", id, reason, NULL);
    return ledger_retrieve(db, id, out);
}

int ledger_retrieve(sqlite3 *db, const char *id, struct buf *out)
{
    struct ledger_intent intent;
    if (!ledger_intent(db, id, &intent))
        return ledger_error(out, 404, "invalid_request_error", "resource_missing", "intent");
    return say_intent(&intent, out);
}

int ledger_search(sqlite3 *db, const char *order_id, struct buf *out)
{
    struct json_writer writer;
    sqlite3_stmt *row = prepare(db, INTENT "WHERE order_id = ?1 LIMIT 10", order_id);
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_string(&writer, "object", "search_result");
    json_key(&writer, "data");
    json_array_begin(&writer);
    while (sqlite3_step(row) == SQLITE_ROW) {
        struct ledger_intent intent;
        read_intent(row, &intent);
        ledger_write_intent(&writer, &intent);
    }
    json_array_end(&writer);
    json_member_boolean(&writer, "has_more", false);
    json_object_end(&writer);
    sqlite3_finalize(row);
    return 200;
}

int ledger_refund(sqlite3 *db, const char *key, const char *form, struct buf *out)
{
    char id[LEDGER_WORD_SIZE], made[ID_SIZE], refund[LEDGER_WORD_SIZE];
    struct ledger_intent intent;
    struct json_writer writer;
    ledger_form(form, "payment_intent", id, sizeof id);
    if (!ledger_intent(db, id, &intent))
        return ledger_error(out, 400, "invalid_request_error", "resource_missing", "payment_intent");
    if (ledger_number(db, "SELECT count(*) FROM refund WHERE intent = ?1", id, 0) > 0)
        return ledger_error(out, 400, "invalid_request_error", "charge_already_refunded", NULL);
    if (ledger_number(db, "SELECT count(*) FROM charge WHERE intent = ?1", id, 0) == 0)
        return ledger_error(out, 400, "invalid_request_error", NULL, NULL);
    snprintf(refund, sizeof refund, "re_%.8s%s", id_new(made), made + 24);
    ledger_run(db, "INSERT INTO refund SELECT ?1, amount_minor, currency, intent, ?2 FROM charge WHERE intent = ?3",
               key, refund, id, NULL);
    json_writer_init(&writer, out);
    ledger_write_refund(&writer, refund, &intent);
    return 200;
}

int ledger_refunds(sqlite3 *db, const char *intent_id, struct buf *out)
{
    struct json_writer writer;
    struct ledger_intent intent;
    char id[LEDGER_WORD_SIZE];
    bool has = ledger_intent(db, intent_id, &intent) &&
               ledger_text(db, id, sizeof id, "SELECT id FROM refund WHERE intent = ?1", intent_id);
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_string(&writer, "object", "list");
    json_key(&writer, "data");
    json_array_begin(&writer);
    if (has)
        ledger_write_refund(&writer, id, &intent);
    json_array_end(&writer);
    json_object_end(&writer);
    return 200;
}
