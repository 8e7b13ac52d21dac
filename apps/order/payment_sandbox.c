/*
 * The sandbox: a payment gateway for tests, which does what the payment method's name says (tandem-order(8)).
 *
 * It plays another party, so it keeps a ledger in a file of its own, which knows nothing of orders: a row for each key,
 * decided by the first question and only read by later ones, so that no key is charged twice, restarts included.
 */
#include "config.h"

#include <stdlib.h>

#include "apps/order/payment.h"
#include "base/clock.h"
#include "state/db.h"
#include "state/migrate.h"

static const struct migration migrations[] = {
    {1, "001_sandbox",
     "CREATE TABLE charge ("
     " key TEXT PRIMARY KEY NOT NULL,"
     " method TEXT NOT NULL,"
     " amount_minor BIGINT NOT NULL,"
     " currency TEXT NOT NULL,"
     " state TEXT NOT NULL CHECK (state IN ('none', 'approved', 'declined', 'refunded')),"
     " tries INTEGER NOT NULL,"
     " created_us BIGINT NOT NULL);", NULL},
};

extern const struct migration_set sandbox_migrations;
const struct migration_set sandbox_migrations = {"sandbox", migrations, 1};   /* tandemctl checks the file by it */

static const char CHARGE[] =
    "INSERT INTO charge (key, method, amount_minor, currency, state, tries, created_us)"
    " VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT (key) DO UPDATE SET tries = charge.tries + 1"
    " RETURNING state, tries, amount_minor, currency";
static const char REFUND[] =
    "UPDATE charge SET state = 'refunded' WHERE key = $1 AND state IN ('approved', 'refunded')";

/* ---- the rules ---- */

struct rule {
    const char *method;
    const char *state;           /* what the ledger says from the first try on */
    int64_t silent_tries;        /* the first so many get no answer */
};

static const struct rule rules[] = {
    {"sandbox_approve", "approved", 0},
    {"sandbox_decline", "declined", 0},
    {"sandbox_timeout", "none", INT64_MAX},
    {"sandbox_timeout_once", "approved", 1},
};
static const struct rule unknown_method = {"", "declined", 0};
static const struct rule not_wanted = {"", "none", 0};   /* where there is a charge already, that counts */

static const struct rule *find_rule(struct text method)
{
    if (method.length == 0)
        return &rules[0];
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (text_equal_string(method, rules[i].method))
            return &rules[i];
    }
    return &unknown_method;
}

/* ---- the ledger ---- */

struct question {
    const struct payment_request *request;
    enum payment_outcome answer;
    const char *why;             /* of PAYMENT_UNKNOWN */
};

static bool is_charge(struct text state)
{
    return text_equal_string(state, "approved") || text_equal_string(state, "refunded");
}

static void read_answer(struct db_statement *row, const struct rule *rule, struct question *question)
{
    const struct money *asked = &question->request->amount;
    question->answer = PAYMENT_UNKNOWN;
    if (db_int(row, 2) != asked->amount_minor || !text_equal_string(db_text(row, 3), asked->currency->code))
        question->why = "the key was used with another amount";
    else if (db_int(row, 1) <= rule->silent_tries)
        question->why = "the gateway did not answer in time";
    else
        question->answer = is_charge(db_text(row, 0)) ? PAYMENT_APPROVED : PAYMENT_DECLINED;
}

static enum err charge_in_ledger(struct db_connection *db, void *context)
{
    struct question *question = context;
    const struct payment_request *request = question->request;
    const struct rule *rule = request->only_find_out ? &not_wanted : find_rule(secret_reveal(request->method));
    struct db_statement *row = db_query(db, CHARGE);
    db_bind_text(row, 1, request->key);
    db_bind_string(row, 2, rule->method);
    db_bind_int(row, 3, request->amount.amount_minor);
    db_bind_string(row, 4, request->amount.currency->code);
    db_bind_string(row, 5, rule->state);
    db_bind_int(row, 6, clock_wall_us());
    while (db_next(row))
        read_answer(row, rule, question);
    return db_done(row);
}

static enum err refund_in_ledger(struct db_connection *db, void *context)
{
    struct question *question = context;
    struct db_statement *change = db_query(db, REFUND);
    int64_t changes = 0;
    db_bind_text(change, 1, question->request->key);
    enum err err = db_run(change, &changes);
    question->answer = changes > 0 ? PAYMENT_APPROVED : PAYMENT_DECLINED;
    return err;
}

static void ask(struct db *ledger, db_work *work, const struct payment_request *request, struct payment_answer *ret)
{
    struct question question = {.request = request};
    *ret = (struct payment_answer){.outcome = PAYMENT_UNKNOWN};
    if (db_write(ledger, work, &question) != ERR_NONE)
        return;
    if (question.answer == PAYMENT_UNKNOWN)
        err_because(ERR_DEADLINE, "%s", question.why);
    ret->outcome = question.answer;
}

/* ---- the driver ---- */

static struct db_opts ledger_opts(const struct payment_opts *opts)
{
    return (struct db_opts){
        .path = opts->sandbox_file,
        .batch_max = 64,
        .queue_max = 1024,
        .busy_timeout_ms = opts->busy_timeout_ms,
        .cache_kib = 512,
        .wal_checkpoint_bytes = 1024 * 1024,
        .wal_max_bytes = 8 * 1024 * 1024,
    };
}

static enum err sandbox_check(const struct payment_opts *opts)
{
    const struct db_opts db_opts = ledger_opts(opts);
    return db_check(&db_opts);
}

static enum err sandbox_open(const struct payment_opts *opts, void **ret)
{
    const struct db_opts db_opts = ledger_opts(opts);
    struct db *ledger;
    enum err err = db_open(&db_opts, &ledger);
    if (err)
        return err;
    err = migrate(ledger, &sandbox_migrations, 1);
    if (!err)
        err = db_start(ledger);
    if (err)
        db_close(ledger);
    else
        *ret = ledger;
    return err;
}

static void sandbox_close(void *state)
{
    db_close(state);
}

static void sandbox_charge(void *state, const struct payment_request *request, struct payment_answer *ret)
{
    ask(state, charge_in_ledger, request, ret);
}

static void sandbox_refund(void *state, const struct payment_request *request, struct payment_answer *ret)
{
    ask(state, refund_in_ledger, request, ret);
}

/* Answers at once, so that committing many together is what counts. */
enum { BATCH_MAX = 16 };

const struct payment_driver payment_sandbox = {
    .name = "sandbox",
    .batch_max = BATCH_MAX,
    .check = sandbox_check,
    .open = sandbox_open,
    .close = sandbox_close,
    .charge = sandbox_charge,
    .refund = sandbox_refund,
};
