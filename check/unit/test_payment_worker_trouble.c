/* The payment worker among other processes, and on a full disk. */
#include "config.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "check/harness/suite.h"
#include "check/unit/payment_fixture.h"
#include "telemetry/log.h"

static void test_due_by_another_process(void)
{
    char id[ID_SIZE];
    fixture_begin();
    payments_start(2, 4);
    payments_reserve(NULL, id);
    payments_expect(id, "paid", "approved");
    struct db *own = fixture.db;
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "order.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
    payments_reserve(NULL, id);
    db_close(fixture.db);
    fixture.db = own;
    payments_expect(id, "paid", "approved");
    payments_stop();
    fixture_end();
}

/* ---- trouble that passes ---- */

static atomic_int room;   /* the disk is full, or the database away, while below 1 */
static enum err trouble = ERR_STORAGE_FULL;

static enum err emit_when_there_is_room(void *emitter, struct db_connection *db, const struct order_origin *origin,
                                        const char *type, struct text subject, struct text data)
{
    if (atomic_fetch_add(&room, 1) < 1)
        return err_because(trouble, "trouble that passes");
    return fixture_emit(emitter, db, origin, type, subject, data);
}

static bool has_failed(void *context)
{
    struct payment_worker_stats stats;
    (void)context;
    payment_worker_stats(payments.worker, &stats);
    return stats.failures > 0;
}

static void test_passing(enum err err)
{
    char paid[ID_SIZE], declined[ID_SIZE];
    fixture_begin();
    payments_reserve(NULL, paid);
    payments_reserve("sandbox_decline", declined);
    payments.emit = emit_when_there_is_room;
    atomic_store(&room, -2);
    trouble = err;
    payments_start(1, 4);
    payments_expect(paid, "paid", "approved");
    payments_expect(declined, "cancelled", "declined");
    CU_ASSERT_EQUAL(payments_ledger("SELECT max(tries) FROM charge"), 1);
    CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", paid), 1);
    payments_stop();
    payments.emit = fixture_emit;
    fixture_end();
}

static void test_full_disk(void)
{
    test_passing(ERR_STORAGE_FULL);
}

static void test_database_away(void)
{
    test_passing(ERR_UNAVAILABLE);
}

/* The first commit takes up what was left open, the second takes what is due, later ones record what came of it. */
static void test_commit_in_doubt(void)
{
    static const char *const plans[] = {"after-commit drop nth=1", "after-commit drop nth=2", "after-commit drop nth=3",
                                        "after-commit drop nth=4"};
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        char id[ID_SIZE];
        fixture_begin();
        payments_reserve(NULL, id);
        CU_ASSERT_EQUAL_FATAL(fault_arm(text_of(plans[i])), ERR_NONE);
        payments_start(1, 4);
        payments_expect(id, "paid", "approved");
        CU_ASSERT_EQUAL(fault_arm(TEXT("")), ERR_NONE);
        payments_stop();
        CU_ASSERT_EQUAL(payments_ledger("SELECT count(*) FROM charge"), 1);
        CU_ASSERT_EQUAL(fixture_emitted("order.paid.v1", id), 1);
        fixture_end();
    }
}

static void test_stop_with_a_full_disk(void)
{
    char id[ID_SIZE];
    trouble = ERR_STORAGE_FULL;
    fixture_begin();
    payments_reserve(NULL, id);
    atomic_store(&room, INT_MIN);
    payments.emit = emit_when_there_is_room;
    payments_start(1, 4);
    CU_ASSERT_TRUE(scratch_eventually(has_failed, NULL));
    int64_t started_ns = clock_now_ns();
    payments_stop();
    CU_ASSERT_TRUE(clock_now_ns() - started_ns < 500 * NS_PER_MS);
    CU_ASSERT_STRING_EQUAL(fixture_payment(id), "due");
    payments.emit = fixture_emit;
    payments_start(1, 4);
    payments_expect(id, "paid", "approved");
    payments_stop();
    CU_ASSERT_EQUAL(payments_ledger("SELECT count(*) FROM charge"), 1);
    fixture_end();
}

static const struct suite_case cases[] = {
    {"what another process made due is found", test_due_by_another_process},
    {"an outcome that a full disk refuses is recorded when there is room, without asking again", test_full_disk},
    {"an outcome is recorded when a database that is away is back, without asking again", test_database_away},
    {"a commit of which nobody knows leaves no payment open", test_commit_in_doubt},
    {"a full disk does not hold up the end, and the next start finds out", test_stop_with_a_full_disk},
};

int main(void)
{
    log_level_set(LOG_CRITICAL);
    return suite_main("payment_worker_trouble", cases, sizeof cases / sizeof cases[0]);
}
