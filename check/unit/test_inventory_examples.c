/* The events that inventory handles, as their schemas say they may be. */
#include "config.h"

#include <stdio.h>

#include "app/service.h"
#include "apps/inventory/events.h"
#include "check/harness/suite.h"
#include "check/unit/event_examples.h"
#include "check/unit/inventory_fixture.h"
#include "telemetry/metric.h"

static const struct service_definition definition = {.name = "inventory"};
static struct service service = {.definition = &definition};

/* The fixture's database, with an outbox in it. */
static void begin(void)
{
    CU_ASSERT_EQUAL(metric_open("inventory", NULL), ERR_NONE);
    fixture_begin();
    db_reader_close(fixture.reader);
    db_close(fixture.db);
    const struct migration_set sets[] = {events_migrations, inventory_migrations};
    struct db_opts opts = scratch_db_opts(scratch_path(&fixture.scratch, "inventory.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(fixture.db, sets, 2), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(fixture.db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(fixture.db, &fixture.reader), ERR_NONE);
}

static void end(void)
{
    fixture_end();
    metric_close();
}

struct handing {
    const struct event *event;
    event_work *work;
    char *cause;
};

static enum err hand_work(struct db_connection *db, void *context)
{
    struct handing *handing = context;
    enum err err = handing->work(db, handing->event, &service);
    if (err)
        snprintf(handing->cause, EXAMPLE_CAUSE_SIZE, "%s", err_cause());
    return err;
}

static event_work *work_now;

static enum err hand(const struct event *event, char cause[static EXAMPLE_CAUSE_SIZE])
{
    struct handing handing = {event, work_now, cause};
    return db_write(fixture.db, hand_work, &handing);
}

/* Whose the order is, and why it was cancelled, is nothing to stock. */
static void test_handlers(void)
{
    static const char *const unread[] = {"/user_id", "/reason", NULL};
    begin();
    for (size_t i = 0; i < inventory_handler_count; i++) {
        work_now = inventory_handlers[i].work;
        event_examples_hand(inventory_handlers[i].type, unread, hand);
    }
    CU_ASSERT(fixture_adds_up());
    end();
}

static const struct suite_case cases[] = {
    {"each handler takes what the schema allows, and refuses what lacks what it requires", test_handlers},
};

int main(void)
{
    return suite_main("inventory_examples", cases, sizeof cases / sizeof cases[0]);
}
