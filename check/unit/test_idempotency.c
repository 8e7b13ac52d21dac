/* Old idempotency keys are forgotten, in steps. That keys do what they are for is seen in check/service/test_http.c. */
#include "config.h"

#include <stdio.h>

#include "app/idempotency.h"
#include "base/clock.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"

enum { RETENTION_S = 3600 };

static struct scratch scratch;
static struct db *db;

static void begin(void)
{
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "service.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(db, &app_migrations, 1), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
}

static void end(void)
{
    db_close(db);
    scratch_fini(&scratch);
}

/* Adds keys that are as old. */
static void add(int count, int age_s)
{
    char script[512];
    snprintf(script, sizeof script,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO idempotency (lookup, caller, key, digest, status, headers, body, created_us)"
             " SELECT %d || '-' || i, 'caller', 'key', 'digest', 200, '', '', %lld FROM n",
             count, age_s, (long long)(clock_wall_us() - age_s * US_PER_S));
    CU_ASSERT_EQUAL(scratch_script(db, script), ERR_NONE);
}

static int64_t kept(void)
{
    return scratch_number(db, "SELECT count(*) FROM idempotency");
}

static enum err sweep(struct db_connection *connection, void *context)
{
    return idempotency_sweep(connection, RETENTION_S, context);
}

static bool sweep_once(void)
{
    bool more = false;
    CU_ASSERT_EQUAL(db_write(db, sweep, &more), ERR_NONE);
    return more;
}

static void test_old(void)
{
    begin();
    CU_ASSERT_FALSE(sweep_once());
    add(3, RETENTION_S + 60);
    add(2, RETENTION_S - 60);
    CU_ASSERT_FALSE(sweep_once());
    CU_ASSERT_EQUAL(kept(), 2);
    CU_ASSERT_FALSE(sweep_once());
    CU_ASSERT_EQUAL(kept(), 2);
    end();
}

static void test_many(void)
{
    begin();
    int steps = 1;
    int64_t before = 1000;
    add(1000, RETENTION_S + 60);
    add(1, 0);
    for (; sweep_once() && steps < 100; steps++) {
        CU_ASSERT(kept() < before);
        before = kept();
    }
    CU_ASSERT(steps > 2 && steps < 100);
    CU_ASSERT_EQUAL(kept(), 1);
    end();
}

static const struct suite_case cases[] = {
    {"keys older than the retention are forgotten, others are kept", test_old},
    {"many are forgotten in several steps", test_many},
};

int main(void)
{
    return engines_main("idempotency", cases, sizeof cases / sizeof cases[0]);
}
