#include "config.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/suite.h"
#include "check/unit/saga.h"
#include "check/unit/saga_seen.h"
#include "check/unit/scratch.h"

enum { WAY_MAX = 256, STEPS_MAX = 64, KINDS_OF_ASKING = 2 };

/* ---- steps ---- */

enum kind { DELIVER, REPEAT, DISCARD, CANCEL, EXPIRE, NUDGE, TAKE, ANSWER, TAKE_OVER };

/* How the gateway, or the way to it, may behave when it is asked. */
enum answer { GIVES, DECLINES, SAYS_NOTHING, DOES_AND_SAYS_NOTHING, IS_FORGOTTEN, DOES_AND_IS_FORGOTTEN };

struct step {
    enum kind kind;
    int order;
    unsigned what;                 /* a message, an answer */
    bool is_refund;
    int budget;                    /* what it takes one of; -1: nothing */
};

struct explorer {
    const struct saga_opts *opts;
    struct saga_report *report;
    struct db_connection *order, *inventory;
    struct saga_world world;
    struct saga_seen *seen;
    struct step way[WAY_MAX];
    size_t way_length;
    char data[SAGA_ORDERS_MAX][SAGA_MESSAGES][SAGA_DATA_SIZE];
};

static void name_step(const struct step *step, char *out, size_t size)
{
    static const char *const names[] = {"deliver", "repeat", "discard", "cancel", "expire", "nudge", "take", "ask",
                                        "take over"};
    static const char *const answers[] = {"done", "declined", "no answer", "done, no answer", "crash",
                                          "done, crash"};
    const char *what = "";
    if (step->kind <= DISCARD)
        what = saga_message_types[step->what];
    else if (step->kind == ANSWER)
        what = answers[step->what];
    snprintf(out, size, "%s %d%s %s", names[step->kind], step->order, step->is_refund ? " refund" : "", what);
}

__attribute__((format(printf, 2, 3))) static void violate(struct explorer *explorer, const char *format, ...)
{
    char *out = explorer->report->violation, name[128];
    size_t size = sizeof explorer->report->violation;
    va_list values;
    if (out[0])
        return;
    va_start(values, format);
    vsnprintf(out, size, format, values);
    va_end(values);
    for (size_t i = 0; i < explorer->way_length; i++) {
        name_step(&explorer->way[i], name, sizeof name);
        size_t at = strlen(out);
        snprintf(out + at, size - at, "%s %s", i == 0 ? ":" : ";", name);
    }
}

static bool is_violated(const struct explorer *explorer)
{
    return explorer->report->violation[0] != '\0';
}

static void check(struct explorer *explorer, enum err err)
{
    if (err)
        violate(explorer, "%s", err_cause());
}

/* ---- what was sent, and how things are ---- */

static void took(void *context, enum saga_message message, struct text subject, struct text data)
{
    struct explorer *explorer = context;
    for (int i = 0; i < explorer->opts->orders; i++) {
        if (text_equal_string(subject, saga_order_id(i))) {
            struct saga_flow *flow = &explorer->world.flows[i];
            flow->in_flight[message]++;
            flow->sent |= (uint8_t)(1U << message);
            snprintf(explorer->data[i][message], SAGA_DATA_SIZE, "%.*s", TEXT_ARGS(data));
        }
    }
}

static void look(struct explorer *explorer)
{
    struct saga_world *world = &explorer->world;
    struct saga_stock_view stock;
    check(explorer, saga_collect(explorer->order, took, explorer));
    check(explorer, saga_collect(explorer->inventory, took, explorer));
    check(explorer, saga_inventory_look(explorer->inventory, explorer->opts->orders, &stock));
    world->on_hand = (uint8_t)stock.on_hand;
    world->reserved = (uint8_t)stock.reserved;
    for (int i = 0; i < explorer->opts->orders; i++) {
        world->flows[i].stock = stock.stock[i];
        check(explorer, saga_order_look(explorer->order, i, &world->flows[i].order));
    }
}

/* ---- what has to hold ---- */

static bool is_paid(const struct saga_flow *flow)
{
    return flow->order.status == SAGA_PAID || flow->order.status == SAGA_SHIPPED;
}

static void check_flow(struct explorer *explorer, int order)
{
    const struct saga_flow *flow = &explorer->world.flows[order];
    if (flow->order.status == 0 || flow->order.status == UINT8_MAX || flow->order.payment == UINT8_MAX)
        violate(explorer, "order %d is in no state", order);
    if (is_paid(flow) && flow->stock != SAGA_HELD && flow->stock != SAGA_SOLD)
        violate(explorer, "order %d is paid, and its stock is given back", order);
    if (is_paid(flow) && (flow->gateway != SAGA_CHARGED || flow->refunds > 0))
        violate(explorer, "order %d is paid, and not charged, or refunded", order);
    if (!is_paid(flow) && flow->stock == SAGA_SOLD)
        violate(explorer, "the stock of order %d is sold, and it is not paid", order);
    if (flow->refunds > 0 && flow->gateway != SAGA_CHARGED)
        violate(explorer, "order %d is refunded, and was never charged", order);
}

static void check_always(struct explorer *explorer)
{
    const struct saga_world *world = &explorer->world;
    int64_t sold = 0, held = 0, quantity = explorer->opts->quantity;
    for (int i = 0; i < explorer->opts->orders; i++) {
        check_flow(explorer, i);
        sold += world->flows[i].stock == SAGA_SOLD ? quantity : 0;
        held += world->flows[i].stock == SAGA_HELD ? quantity : 0;
    }
    if (world->on_hand != explorer->opts->on_hand - sold || world->reserved != held)
        violate(explorer, "%d are on hand and %d reserved, with %d sold and %d held", world->on_hand, world->reserved,
                (int)sold, (int)held);
}

/* Nothing is left to come by itself. */
static bool is_quiet(const struct saga_flow *flow)
{
    bool quiet = flow->order.time == SAGA_NEVER && flow->pending[0] == 0 && flow->pending[1] == 0;
    for (size_t i = 0; i < SAGA_MESSAGES; i++)
        quiet = quiet && flow->in_flight[i] == 0;
    return quiet;
}

static const char *why_not_final(const struct saga_flow *flow)
{
    if (flow->order.status == SAGA_PLACED || flow->order.status == SAGA_RESERVED)
        return "is open";
    if (flow->stock == SAGA_HELD)
        return "has stock held";
    if (is_paid(flow) && flow->stock != SAGA_SOLD)
        return "is paid, its stock not sold";
    if (!is_paid(flow) && flow->gateway == SAGA_CHARGED && flow->refunds != 1)
        return "is charged, not paid, and not refunded";
    return NULL;
}

/* ---- which steps there are ---- */

struct steps {
    struct step steps[STEPS_MAX];
    size_t count;
};

static void may(const struct explorer *explorer, struct steps *steps, struct step step)
{
    assert(steps->count < STEPS_MAX);
    if (step.budget < 0 || explorer->world.left[step.budget] > 0)
        steps->steps[steps->count++] = step;
}

static void find_messages(const struct explorer *explorer, int order, struct steps *ret)
{
    const struct saga_flow *flow = &explorer->world.flows[order];
    for (unsigned i = 0; i < SAGA_MESSAGES; i++) {
        if (flow->in_flight[i] > 0) {
            may(explorer, ret, (struct step){DELIVER, order, i, false, -1});
            may(explorer, ret, (struct step){DISCARD, order, i, false, SAGA_DISCARDS});
        } else if (flow->sent & 1U << i) {
            may(explorer, ret, (struct step){REPEAT, order, i, false, SAGA_DUPLICATES});
        }
    }
}

/* One key has one outcome, however often it is asked for. */
static void find_answers(const struct explorer *explorer, int order, bool is_refund, struct steps *ret)
{
    const struct saga_flow *flow = &explorer->world.flows[order];
    bool is_done = is_refund ? flow->refunds > 0 : flow->gateway == SAGA_CHARGED;
    bool is_declined = !is_refund && flow->gateway == SAGA_REFUSED, is_open = !is_done && !is_declined;
    if (flow->pending[is_refund] == 0)
        return;
    if (!is_declined)
        may(explorer, ret, (struct step){ANSWER, order, GIVES, is_refund, -1});
    if (!is_refund && !is_done)
        may(explorer, ret, (struct step){ANSWER, order, DECLINES, is_refund, -1});
    may(explorer, ret, (struct step){ANSWER, order, SAYS_NOTHING, is_refund, SAGA_UNKNOWNS});
    may(explorer, ret, (struct step){ANSWER, order, IS_FORGOTTEN, is_refund, SAGA_UNKNOWNS});
    if (is_open) {
        may(explorer, ret, (struct step){ANSWER, order, DOES_AND_SAYS_NOTHING, is_refund, SAGA_UNKNOWNS});
        may(explorer, ret, (struct step){ANSWER, order, DOES_AND_IS_FORGOTTEN, is_refund, SAGA_UNKNOWNS});
    }
}

static void find_payments(const struct explorer *explorer, struct steps *ret)
{
    bool is_due = false, is_forgotten = false, is_asked = false;
    for (int i = 0; i < explorer->opts->orders; i++) {
        const struct saga_flow *flow = &explorer->world.flows[i];
        bool asked = flow->pending[0] + flow->pending[1] > 0, leased = flow->order.time == SAGA_LEASED;
        is_due = is_due || flow->order.time == SAGA_NOW;
        is_forgotten = is_forgotten || (leased && !asked);
        is_asked = is_asked || (leased && asked);
        for (unsigned kind = 0; kind < KINDS_OF_ASKING; kind++)
            find_answers(explorer, i, kind, ret);
    }
    if (is_due)
        may(explorer, ret, (struct step){TAKE, 0, 0, false, -1});
    if (is_forgotten && !is_asked)
        may(explorer, ret, (struct step){TAKE_OVER, 0, 0, false, -1});
    else if (is_asked)
        may(explorer, ret, (struct step){TAKE_OVER, 0, 0, false, SAGA_TAKEOVERS});
}

static void find_time(const struct explorer *explorer, int order, int expiry, int nudge, struct steps *ret)
{
    const struct saga_flow *flow = &explorer->world.flows[order];
    if (flow->stock == SAGA_HELD)
        may(explorer, ret, (struct step){EXPIRE, order, 0, false, expiry});
    if (flow->order.status == SAGA_PLACED || flow->order.status == SAGA_RESERVED)
        may(explorer, ret, (struct step){NUDGE, order, 0, false, nudge});
}

static void find_steps(const struct explorer *explorer, struct steps *ret)
{
    for (int i = 0; i < explorer->opts->orders; i++) {
        find_messages(explorer, i, ret);
        find_time(explorer, i, SAGA_EXPIRIES, SAGA_NUDGES, ret);
        may(explorer, ret, (struct step){CANCEL, i, 0, false, SAGA_CANCELS});
    }
    find_payments(explorer, ret);
}

/* ---- taking one ---- */

static void deliver(struct explorer *explorer, const struct step *step)
{
    struct text data = text_of(explorer->data[step->order][step->what]);
    enum saga_message message = (enum saga_message)step->what;
    if (step->kind == DELIVER)
        explorer->world.flows[step->order].in_flight[message]--;
    check(explorer, message < SAGA_STOCK_RESERVED
                        ? saga_inventory_deliver(explorer->inventory, message, step->order, data)
                        : saga_order_deliver(explorer->order, message, step->order, data));
}

static void take(struct explorer *explorer)
{
    struct saga_taken taken[SAGA_ORDERS_MAX];
    size_t count = 0;
    check(explorer, saga_order_take(explorer->order, taken, &count));
    for (size_t i = 0; i < count; i++)
        explorer->world.flows[taken[i].order].pending[taken[i].is_refund]++;
}

static void answer(struct explorer *explorer, const struct step *step)
{
    static const enum saga_outcome outcomes[] = {[GIVES] = SAGA_IS_APPROVED, [DECLINES] = SAGA_IS_DECLINED,
                                                 [SAYS_NOTHING] = SAGA_IS_UNKNOWN,
                                                 [DOES_AND_SAYS_NOTHING] = SAGA_IS_UNKNOWN};
    struct saga_flow *flow = &explorer->world.flows[step->order];
    bool does = step->what == GIVES || step->what == DOES_AND_SAYS_NOTHING || step->what == DOES_AND_IS_FORGOTTEN;
    flow->pending[step->is_refund]--;
    if (does && step->is_refund)
        flow->refunds = 1;
    else if (does)
        flow->gateway = SAGA_CHARGED;
    else if (step->what == DECLINES)
        flow->gateway = SAGA_REFUSED;
    if (step->what < IS_FORGOTTEN)
        check(explorer, saga_order_record(explorer->order, step->order, step->is_refund, outcomes[step->what]));
}

static void expire(struct explorer *explorer, int order)
{
    check(explorer, explorer->opts->rash ? saga_inventory_expire_rashly(explorer->inventory, order)
                                         : saga_inventory_expire(explorer->inventory, order));
}

static void take_step(struct explorer *explorer, const struct step *step)
{
    if (step->budget >= 0)
        explorer->world.left[step->budget]--;
    switch (step->kind) {
    case DELIVER:
    case REPEAT:
        deliver(explorer, step);
        break;
    case DISCARD:
        explorer->world.flows[step->order].in_flight[step->what]--;
        break;
    case CANCEL:
        check(explorer, saga_order_cancel(explorer->order, step->order));
        break;
    case EXPIRE:
        expire(explorer, step->order);
        break;
    case NUDGE:
        check(explorer, saga_order_nudge(explorer->order, step->order));
        break;
    case TAKE:
        take(explorer);
        break;
    case ANSWER:
        answer(explorer, step);
        break;
    case TAKE_OVER:
        check(explorer, saga_order_resume(explorer->order));
        break;
    }
    explorer->report->steps++;
}

/* ---- the walk ---- */

static void both(struct explorer *explorer, const char *sql)
{
    check(explorer, db_run(db_query(explorer->order, sql), NULL));
    check(explorer, db_run(db_query(explorer->inventory, sql), NULL));
}

static uint64_t visit(struct explorer *explorer);

static uint64_t branch(struct explorer *explorer, const struct step *step)
{
    struct saga_world before = explorer->world;
    assert(explorer->way_length < WAY_MAX);
    explorer->way[explorer->way_length++] = *step;
    both(explorer, "SAVEPOINT step");
    take_step(explorer, step);
    uint64_t ways = is_violated(explorer) ? 0 : visit(explorer);
    both(explorer, "ROLLBACK TO step");
    both(explorer, "RELEASE step");
    explorer->world = before;
    explorer->way_length--;
    return ways;
}

/* Where nothing comes by itself: all is final, or time has to pass. */
static bool rest(struct explorer *explorer, struct steps *ret)
{
    const char *why = NULL;
    for (int i = 0; i < explorer->opts->orders; i++) {
        const struct saga_flow *flow = &explorer->world.flows[i];
        if (!is_quiet(flow))
            return false;
        why = why ? why : why_not_final(flow);
        if (why_not_final(flow))
            find_time(explorer, i, SAGA_HEALINGS, SAGA_HEALINGS, ret);
    }
    if (why && explorer->world.left[SAGA_HEALINGS] == 0)
        violate(explorer, "all is quiet, and an order %s", why);
    return !why;
}

static uint64_t visit(struct explorer *explorer)
{
    struct steps steps = {.count = 0};
    uint64_t ways;
    look(explorer);
    if (saga_seen_find(explorer->seen, &explorer->world, &ways))
        return ways;
    struct saga_world here = explorer->world;
    check_always(explorer);
    ways = rest(explorer, &steps);
    find_steps(explorer, &steps);
    for (size_t i = 0; i < steps.count && !is_violated(explorer); i++) {
        uint64_t more = branch(explorer, &steps.steps[i]);
        ways = ways > UINT64_MAX - more ? UINT64_MAX : ways + more;
    }
    explorer->report->states++;
    if (!saga_seen_add(explorer->seen, &here, ways))
        violate(explorer, "no memory for another state");
    return ways;
}

/* ---- both databases at once: a job of one in a job of the other, all of it undone at the end ---- */

static enum err explore(struct db_connection *inventory, void *context)
{
    struct explorer *explorer = context;
    explorer->inventory = inventory;
    for (int i = 0; i < explorer->opts->orders; i++)
        check(explorer, saga_order_place(explorer->order, i, explorer->opts->quantity));
    explorer->report->interleavings = visit(explorer);
    return ERR_NONE;
}

struct nesting {
    struct explorer *explorer;
    struct db *inventory;
};

static enum err nest(struct db_connection *order, void *context)
{
    struct nesting *nesting = context;
    nesting->explorer->order = order;
    return db_write(nesting->inventory, explore, nesting->explorer);
}

void saga_explore(const struct saga_opts *opts, struct saga_report *ret)
{
    struct explorer *explorer = calloc(1, sizeof *explorer);
    struct scratch scratch;
    CU_ASSERT_PTR_NOT_NULL_FATAL(explorer);
    memset(ret, 0, sizeof *ret);
    scratch_init(&scratch);
    explorer->opts = opts;
    explorer->report = ret;
    explorer->seen = saga_seen_new();
    memcpy(explorer->world.left, opts->budget, sizeof explorer->world.left);
    struct db *order = saga_order_open(scratch_path(&scratch, "order.db"));
    struct nesting nesting = {explorer, saga_inventory_open(scratch_path(&scratch, "inventory.db"), opts->on_hand)};
    saga_order_plant(opts->fault);
    CU_ASSERT_EQUAL(db_write(order, nest, &nesting), ERR_NONE);
    saga_order_plant(SAGA_NO_FAULT);
    db_close(nesting.inventory);
    db_close(order);
    saga_seen_free(explorer->seen);
    scratch_fini(&scratch);
    free(explorer);
}
