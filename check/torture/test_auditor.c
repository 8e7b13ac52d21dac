/*
 * The auditor itself: it finds nothing in a system that is well, and each of the faults that are planted into a copy of
 * its databases, by the claim that it breaks.
 */
#include "config.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/harness/system.h"
#include "check/torture/audit.h"
#include "check/torture/customers.h"

enum { CUSTOMERS = 4, STEPS = 40, SEED = 5, PATIENCE_MS = 60000, FINAL_MS = 20000, PATH_SIZE = 256, FOLDER_SIZE = 128 };

static const char *const files[] = {"user.db", "order.db", "inventory.db", "bus.db", "payments.db", "journal"};

static struct {
    char clean[FOLDER_SIZE], planted[FOLDER_SIZE];
    struct audit_report report;
} here;

/* ---- a clean system ---- */

static bool are_idle(void *context)
{
    return customers_are_idle(context);
}

static void path_of(const char *folder, const char *file, char out[static PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%.127s/%.64s", folder, file);
}

static void copy_file(const char *from_folder, const char *to_folder, const char *name)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    struct stat status;
    path_of(from_folder, name, from);
    path_of(to_folder, name, to);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(in >= 0 && out >= 0 && fstat(in, &status) == 0);
    while (status.st_size > 0) {
        ssize_t sent = sendfile(out, in, NULL, (size_t)status.st_size);
        CU_ASSERT_FATAL(sent > 0);
        status.st_size -= sent;
    }
    close(in);
    close(out);
}

static void copy_all(const char *from, const char *to)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        copy_file(from, to, files[i]);
}

static void load_the_system(struct system *system, const char *journal_path)
{
    struct journal *journal;
    struct customers *customers;
    const char *first;
    CU_ASSERT_EQUAL_FATAL(journal_open(journal_path, &journal), ERR_NONE);
    struct customers_opts opts = {.system = system, .journal = journal, .count = CUSTOMERS, .seed = SEED,
                                  .patience_ms = PATIENCE_MS};
    CU_ASSERT_EQUAL_FATAL(customers_start(&opts, &customers), ERR_NONE);
    customers_begin(customers, STEPS);
    CU_ASSERT(process_until(are_idle, customers, 2 * PATIENCE_MS));
    CU_ASSERT_EQUAL(customers_failed(customers, &first), 0);
    customers_stop(customers);
    journal_close(journal);
}

static void expect_clean(const char *folder, unsigned wait_ms)
{
    char journal[PATH_SIZE];
    path_of(folder, "journal", journal);
    audit_run(&(struct audit_subject){.folder = folder, .journal = journal}, wait_ms, 0, &here.report);
    CU_ASSERT_EQUAL(here.report.status, 0);
    if (here.report.status != 0)
        audit_print(&here.report);
}

static void test_clean(void)
{
    static const char *const settings[] = {"payment.retry_first_ms=50", "log.level=warning", NULL};
    struct system_opts opts = {.front = "nginx", .transport = "native", .settings = settings};
    struct system *system;
    char journal[PATH_SIZE];
    if (system_start(&opts, &system)) {
        CU_assertImplementation(CU_FALSE, __LINE__, err_cause(), __FILE__, "", CU_TRUE);
        return;
    }
    path_of(system_folder(system), "journal", journal);
    load_the_system(system, journal);
    expect_clean(system_folder(system), FINAL_MS);
    for (int i = SYSTEM_SERVICES - 1; i >= 0; i--)
        CU_ASSERT_EQUAL(system_service_down(system, (enum system_service)i), ERR_NONE);
    copy_all(system_folder(system), here.clean);
    CU_ASSERT_EQUAL(system_stop(system), ERR_NONE);
    expect_clean(here.clean, 0);
    static const char *const wanted[] = {"paid", "cancelled", "charges", "refunds", "repeats"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        CU_ASSERT(audit_figure(&here.report, wanted[i]) > 0);
}

/* ---- planted faults ---- */

struct fault {
    const char *file, *sql, *broken;     /* where, what, and the claim that it breaks */
};

#define PAID_ORDER "(SELECT min(id) FROM orders WHERE status = 'paid')"
#define CANCELLED_ORDER "(SELECT min(id) FROM orders WHERE status = 'cancelled')"
#define SOLD_ORDER "(SELECT min(order_id) FROM reservation WHERE state = 'sold')"

static void plant(const struct fault *fault)
{
    char path[PATH_SIZE], *message = NULL;
    sqlite3 *db;
    copy_all(here.clean, here.planted);
    path_of(here.planted, fault->file, path);
    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &db), SQLITE_OK);
    int code = sqlite3_exec(db, fault->sql, NULL, NULL, &message);
    if (code != SQLITE_OK)
        CU_assertImplementation(CU_FALSE, __LINE__, message, __FILE__, "", CU_FALSE);
    CU_ASSERT(sqlite3_total_changes(db) > 0);
    sqlite3_free(message);
    sqlite3_close(db);
}

static void expect_broken(const struct fault *fault)
{
    char journal[PATH_SIZE], line[128];
    path_of(here.planted, "journal", journal);
    snprintf(line, sizeof line, "BROKEN %s\n", fault->broken);
    audit_run(&(struct audit_subject){.folder = here.planted, .journal = journal}, 0, 0, &here.report);
    CU_ASSERT_EQUAL(here.report.status, 1);
    if (!strstr(here.report.text, line)) {
        CU_assertImplementation(CU_FALSE, __LINE__, line, __FILE__, "", CU_FALSE);
        audit_print(&here.report);
    }
}

static void try_all(const struct fault *faults, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        plant(&faults[i]);
        expect_broken(&faults[i]);
    }
}

#define TRY(faults) try_all(faults, sizeof(faults) / sizeof(faults)[0])

static void test_lost_order(void)
{
    static const struct fault faults[] = {
        {"order.db", "DELETE FROM orders WHERE id = " PAID_ORDER, "every acknowledged order is there"},
        {"order.db", "DELETE FROM orders WHERE id = " CANCELLED_ORDER, "every acknowledged order is there"},
        {"order.db", "INSERT INTO orders SELECT 'ffffffff-ffff-7fff-bfff-ffffffffffff', user_id, status, total_minor,"
                     " currency, payment_method, version, created_us, updated_us FROM orders WHERE id = " PAID_ORDER,
         "no order is there that nobody placed"},
    };
    TRY(faults);
}

static void test_altered_content(void)
{
    static const char claim[] = "an acknowledged order has what was acknowledged";
    static const struct fault faults[] = {
        {"order.db", "UPDATE order_line SET quantity = quantity + 1 WHERE order_id = " PAID_ORDER, claim},
        {"order.db", "UPDATE order_line SET sku = 'sku-x' WHERE line = 0 AND order_id = " CANCELLED_ORDER, claim},
        {"order.db", "DELETE FROM order_line WHERE order_id = " PAID_ORDER, claim},
        {"order.db", "UPDATE orders SET total_minor = total_minor + 1 WHERE id = " PAID_ORDER, claim},
        {"order.db", "UPDATE orders SET user_id = 'another' WHERE id = " PAID_ORDER, claim},
        {"order.db", "UPDATE orders SET payment_method = 'another' WHERE id = " PAID_ORDER, claim},
        {"order.db", "UPDATE order_line SET unit_price_minor = 1 WHERE order_id = " PAID_ORDER,
         "a line's price is what the total says"},
    };
    TRY(faults);
}

static void test_money(void)
{
    static const struct fault faults[] = {
        {"payments.db", "INSERT INTO charge SELECT key || ':again', method, amount_minor, currency, state, tries,"
                        " created_us FROM charge WHERE state = 'approved' LIMIT 1", "no order is charged twice"},
        {"payments.db", "DELETE FROM charge WHERE state = 'approved'", "a paid order has one charge, of its amount"},
        {"payments.db", "UPDATE charge SET amount_minor = amount_minor + 1 WHERE state = 'approved'",
         "a paid order has one charge, of its amount"},
        {"payments.db", "UPDATE charge SET currency = 'USD' WHERE state = 'approved'",
         "a paid order has one charge, of its amount"},
        {"payments.db", "UPDATE charge SET state = 'approved' WHERE state = 'refunded'",
         "an order that is charged and not paid has one refund, of its amount"},
        {"payments.db", "UPDATE charge SET state = 'approved' WHERE state = 'declined'",
         "an order that is charged and not paid has one refund, of its amount"},
        {"payments.db", "UPDATE charge SET state = 'refunded' WHERE state = 'approved'",
         "nothing is refunded that is paid, or was never charged"},
        {"payments.db", "UPDATE charge SET key = 'not an order' WHERE key = (SELECT min(key) FROM charge WHERE"
                        " state = 'approved')", "no charge is of no order"},
        {"order.db", "UPDATE payment SET state = 'declined' WHERE state = 'approved'",
         "a payment's state is what the gateway has"},
        {"order.db", "UPDATE payment SET state = 'refund_refused' WHERE state = 'refunded'",
         "a payment's state is what the gateway has"},
    };
    TRY(faults);
}

/* A gateway that keeps a row for each time that money moved, where a second refund can be seen. */
#define BY_ROWS                                                                                                       \
    "ALTER TABLE charge RENAME TO kept; CREATE TABLE refund AS SELECT key, amount_minor, currency FROM kept"           \
    " WHERE state = 'refunded'; CREATE TABLE charge AS SELECT key, amount_minor, currency FROM kept"                   \
    " WHERE state IN ('approved', 'refunded');"

static void test_ledger_of_rows(void)
{
    static const struct fault well = {"payments.db", BY_ROWS "DELETE FROM kept", NULL};
    static const struct fault faults[] = {
        {"payments.db", BY_ROWS "INSERT INTO charge SELECT * FROM charge LIMIT 1", "no order is charged twice"},
        {"payments.db", BY_ROWS "DELETE FROM charge WHERE key NOT IN (SELECT key FROM refund)",
         "a paid order has one charge, of its amount"},
        {"payments.db", BY_ROWS "INSERT INTO refund SELECT * FROM refund LIMIT 1",
         "an order that is charged and not paid has one refund, of its amount"},
        {"payments.db", BY_ROWS "UPDATE refund SET amount_minor = 1",
         "an order that is charged and not paid has one refund, of its amount"},
        {"payments.db", BY_ROWS "DELETE FROM refund",
         "an order that is charged and not paid has one refund, of its amount"},
        {"payments.db", BY_ROWS "INSERT INTO refund SELECT * FROM charge",
         "nothing is refunded that is paid, or was never charged"},
    };
    plant(&well);
    expect_clean(here.planted, 0);
    TRY(faults);
}

static void test_stock(void)
{
    static const struct fault faults[] = {
        {"inventory.db", "UPDATE reservation SET state = 'reserved' WHERE order_id = " SOLD_ORDER,
         "what is reserved is what reservations hold"},
        {"inventory.db", "UPDATE item SET reserved = reserved + 1, on_hand = on_hand + 1",
         "what is reserved is what reservations hold"},
        {"inventory.db", "UPDATE reservation SET state = 'reserved' WHERE state = 'released'",
         "a reservation is as its order is"},
        {"inventory.db", "DELETE FROM reservation WHERE order_id = " SOLD_ORDER, "a reservation is as its order is"},
        {"inventory.db", "INSERT INTO reservation VALUES ('nobody', 'released', 1, 1)",
         "no reservation is of no order"},
        {"inventory.db", "UPDATE reservation_line SET quantity = quantity + 1 WHERE order_id = " SOLD_ORDER,
         "a reservation holds what was ordered"},
        {"inventory.db", "UPDATE item SET on_hand = on_hand + 1 WHERE sku = 'sku-0'",
         "what is on hand is what was put in, less what was sold"},
        {"inventory.db", "UPDATE item SET on_hand = on_hand + 1 WHERE sku = 'sku-0'",
         "what was moved adds up to what is on hand"},
        {"inventory.db", "DELETE FROM stock_movement WHERE reason = 'first-sku-1'",
         "an acknowledged change of stock was made once"},
        {"inventory.db", "INSERT INTO stock_movement SELECT id || '2', sku, delta, reason, cause, at_us FROM"
                         " stock_movement WHERE reason = 'first-sku-1'",
         "an acknowledged change of stock was made once"},
        {"inventory.db", "INSERT INTO stock_movement VALUES ('x', 'sku-1', 5, 'nobody asked', 'user x', 1)",
         "no change of stock was made that nobody asked for"},
    };
    TRY(faults);
}

static void test_lost_event(void)
{
    static const struct fault faults[] = {
        {"bus.db", "DELETE FROM log WHERE position = (SELECT min(position) FROM log WHERE type = 'order.paid.v1')",
         "every step of an order was told, once"},
        {"inventory.db", "DELETE FROM inbox WHERE number = (SELECT max(number) FROM inbox)",
         "every event was taken by all who have to know"},
        {"order.db", "DELETE FROM inbox WHERE number = (SELECT min(number) FROM inbox)",
         "every event was taken by all who have to know"},
        {"bus.db", "UPDATE consumer_group SET position = 0 WHERE name = 'order'",
         "every group has read the bus to its end"},
        {"bus.db", "DELETE FROM consumer_group WHERE name = 'inventory'", "every group has read the bus to its end"},
        {"order.db", "INSERT INTO outbox VALUES (1, 'x', 'order.paid.v1', 'order', 'y', 1, NULL, NULL, '{}', NULL)",
         "no event waits to be sent"},
        {"inventory.db", "INSERT INTO event_parked VALUES (1, 'inventory', 'x', 'y', 'order.paid.v1', '{}', 1, 1, '',"
                         " 1)", "no event is set aside"},
        {"order.db", "INSERT INTO dead_letter VALUES (1, 'order', 'x', 'y', 'stock.reserved.v1', '{}', 1, '', 1, 1)",
         "no event is set aside"},
    };
    TRY(faults);
}

static void test_double_effect(void)
{
    static const char again[] = "INSERT INTO log (type, subject, envelope, published_us) SELECT type, subject,"
                                " json_set(envelope, '$.id', 'another'), published_us FROM log WHERE type = ";
    static char paid[256], reserved[256];
    snprintf(paid, sizeof paid, "%s'order.paid.v1' LIMIT 1", again);
    snprintf(reserved, sizeof reserved, "%s'stock.reserved.v1' LIMIT 1", again);
    const struct fault faults[] = {
        {"order.db", "INSERT INTO order_history SELECT order_id, version + 1, from_status, to_status, cause, at_us FROM"
                     " order_history WHERE order_id = " PAID_ORDER " ORDER BY version DESC LIMIT 1",
         "no transition happened twice"},
        {"order.db", "UPDATE order_history SET from_status = 'placed' WHERE from_status = 'reserved' AND"
                     " to_status = 'paid'", "every transition is a way that orders may go"},
        {"order.db", "DELETE FROM order_history WHERE version = 2 AND order_id = " PAID_ORDER,
         "a history is whole, and ends where its order is"},
        {"bus.db", paid, "every step of an order was told, once"},
        {"bus.db", reserved, "stock was reserved once for an order, or rejected once"},
        {"order.db", "UPDATE order_history SET from_status = 'paid', cause = 'reservation expired' WHERE from_status ="
                     " 'reserved' AND to_status = 'paid'", "only what is held for too long expires"},
        {"order.db", "INSERT INTO order_history SELECT order_id, version + 1, 'paid', 'paid', 'reservation expired',"
                     " at_us FROM order_history WHERE to_status = 'paid' LIMIT 1",
         "every step of an order was told, once"},
        {"bus.db", "UPDATE log SET type = 'order.cancelled.v1' WHERE type = 'order.paid.v1'",
         "nothing is told that did not happen"},
    };
    TRY(faults);
}

static void test_stuck(void)
{
    static const struct fault faults[] = {
        {"order.db", "UPDATE orders SET status = 'reserved' WHERE id = " PAID_ORDER, "every order is final"},
        {"order.db", "UPDATE orders SET status = 'placed' WHERE id = " CANCELLED_ORDER, "every order is final"},
        {"order.db", "UPDATE payment SET state = 'refund_due' WHERE state = 'refunded'", "every payment is settled"},
        {"order.db", "UPDATE payment SET due_us = 1 WHERE state = 'approved'", "every payment is settled"},
        {"order.db", "UPDATE orders SET status = 'paid' WHERE status = 'cancelled'",
         "an acknowledged cancellation holds"},
    };
    TRY(faults);
}

/* ---- the journal, and what cannot be read ---- */

static void add_to_journal(const char *line)
{
    char path[PATH_SIZE];
    path_of(here.planted, "journal", path);
    FILE *file = fopen(path, "ae");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(line, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void test_two_answers(void)
{
    const struct fault fault = {.broken = "a key has one answer, however often it is used"};
    copy_all(here.clean, here.planted);
    add_to_journal("{\"op\": \"stock\", \"key\": \"first-sku-0\", \"attempt\": 2, \"status\": 200, \"digest\": \"0\","
                   " \"sku\": \"sku-0\", \"delta\": 12}\n");
    expect_broken(&fault);
}

/* Of a restored system what was acknowledged after its backup may be missing, and what was before may not. */
static void test_restored(void)
{
    static const struct fault lost = {"order.db", "DELETE FROM orders WHERE id = " PAID_ORDER,
                                      "every acknowledged order is there"};
    static const char claim[] = "BROKEN every acknowledged order is there";
    char journal[PATH_SIZE];
    path_of(here.planted, "journal", journal);
    plant(&lost);
    add_to_journal("{\"op\": \"mark\", \"key\": \"\", \"attempt\": 0, \"status\": 0, \"digest\": \"\"}\n"
                   "{\"op\": \"order\", \"key\": \"late\", \"attempt\": 1, \"status\": 201, \"digest\": \"0\","
                   " \"id\": \"gone\", \"user\": \"x\", \"lines\": \"x*1\", \"total\": 1, \"currency\": \"EUR\","
                   " \"method\": \"\"}\n");
    audit_run(&(struct audit_subject){.folder = here.planted, .journal = journal}, 0, 1, &here.report);
    CU_ASSERT_EQUAL(here.report.status, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(here.report.text, claim));
    CU_ASSERT_PTR_NULL(strstr(here.report.text, "order gone"));
    audit_run(&(struct audit_subject){.folder = here.planted, .journal = journal}, 0, 0, &here.report);
    CU_ASSERT_PTR_NOT_NULL(strstr(here.report.text, "order gone"));
}

static void test_unreadable(void)
{
    char journal[PATH_SIZE], bus[PATH_SIZE];
    path_of(here.planted, "journal", journal);
    path_of(here.planted, "bus.db", bus);
    copy_all(here.clean, here.planted);
    add_to_journal("no JSON\n");
    audit_run(&(struct audit_subject){.folder = here.planted, .journal = journal}, 0, 0, &here.report);
    CU_ASSERT_EQUAL(here.report.status, 2);
    copy_all(here.clean, here.planted);
    CU_ASSERT_EQUAL(unlink(bus), 0);
    audit_run(&(struct audit_subject){.folder = here.planted, .journal = journal}, 0, 0, &here.report);
    CU_ASSERT_EQUAL(here.report.status, 2);
}

static const struct suite_case cases[] = {
    {"a system that is well is clean", test_clean},
    {"a lost order is found, and one too many", test_lost_order},
    {"altered content is found", test_altered_content},
    {"a double charge, a missing one and a missing refund are found", test_money},
    {"so they are where a gateway keeps refunds apart, and a double refund too", test_ledger_of_rows},
    {"leaked reservations and lost stock are found", test_stock},
    {"a lost event is found", test_lost_event},
    {"a double effect is found", test_double_effect},
    {"a stuck order is found", test_stuck},
    {"two answers to one key are found", test_two_answers},
    {"of a restored system what came after the backup may be missing", test_restored},
    {"what cannot be read is no clean system", test_unreadable},
};

int main(void)
{
    char *clean = process_folder(), *planted = process_folder();
    if (!clean || !planted)
        return EXIT_FAILURE;
    snprintf(here.clean, sizeof here.clean, "%s", clean);
    snprintf(here.planted, sizeof here.planted, "%s", planted);
    int status = suite_main("auditor", cases, sizeof cases / sizeof cases[0]);
    process_remove(clean);
    process_remove(planted);
    free(clean);
    free(planted);
    return status;
}
