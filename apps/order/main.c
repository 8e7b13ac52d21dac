/* tandem-order: orders, their workflow, and their payment. */
#include "config.h"

#include <stdlib.h>

#include "app/service.h"
#include "apps/order/app.h"
#include "apps/order/events.h"
#include "apps/order/payment_settings.h"
#include "apps/order/routes.h"
#include "apps/order/store.h"
#include "apps/order/tally.h"
#include "base/clock.h"
#include "conf/settings.h"

static enum err start_worker(struct service *service, struct order_app *app)
{
    struct payment_worker_opts opts = {
        .db = service->db,
        .payment = app->payment,
        .threads = (unsigned)settings_int(service->settings, OPTION_PAYMENT_CONCURRENCY),
        .batch_max = payment_batch_max(app->payment),
        .retry_first_ms = (unsigned)settings_int(service->settings, OPTION_PAYMENT_RETRY_FIRST_MS),
        .retry_max_ms = (unsigned)settings_int(service->settings, OPTION_PAYMENT_RETRY_MAX_MS),
        .emit = order_emit_event,
        .emitter = service,
    };
    return payment_worker_start(&opts, &app->worker);
}

/* ---- orders that are stuck ---- */

static int64_t stuck_after_us(struct service *service)
{
    struct settings *settings = current_take(&service->current);
    int64_t after_us = settings_int(settings, OPTION_ORDER_STUCK_AFTER_S) * US_PER_S;
    settings_unref(settings);
    return after_us;
}

/* What is left over waits for the next step, which bounds their rate. */
static enum err sweep(void *context, struct db_connection *reader, bool *ret_more)
{
    struct service *service = context;
    struct order_app *app = service->app;
    unsigned nudged;
    enum err err = stuck_step(&app->stuck, reader, stuck_after_us(service), clock_wall_us(), &nudged);
    if (!err)
        *ret_more = false;
    return err;
}

static enum err start_sweeper(struct service *service, struct order_app *app)
{
    const struct background_opts opts = {
        .db = service->db,
        .what = "nudging stuck orders",
        .interval_ms = STUCK_INTERVAL_MS,
        .step = sweep,
        .context = service,
    };
    app->stuck = (struct stuck){.db = service->db, .emit = order_emit_event, .emitter = service};
    return background_start(&opts, &app->sweeper);
}

/* ---- the application ---- */

static void reload(struct service *service, const struct settings *settings)
{
    const struct order_app *app = service->app;
    payment_worker_retry(app->worker, (unsigned)settings_int(settings, OPTION_PAYMENT_RETRY_FIRST_MS),
                         (unsigned)settings_int(settings, OPTION_PAYMENT_RETRY_MAX_MS));
}

static enum err measure(struct service *service, struct db_connection *reader)
{
    return tally_measure(reader, clock_wall_us() - stuck_after_us(service));
}

static void stop(struct service *service)
{
    struct order_app *app = service->app;
    if (!app)
        return;
    background_stop(app->sweeper);
    payment_worker_stop(app->worker);
    payment_close(app->payment);
    free(app);
    service->app = NULL;
}

static enum err start(struct service *service)
{
    struct order_app *app = calloc(1, sizeof *app);
    if (!app)
        return err_because(ERR_MEMORY, "no memory for the order service");
    service->app = app;
    payment_events_metrics();
    enum err err = payment_settings_open(service->settings, &app->payment);
    if (!err)
        err = start_worker(service, app);
    if (!err)
        err = start_sweeper(service, app);
    if (err)
        stop(service);
    return err;
}

int main(int argc, char **argv)
{
    const struct service_definition definition = {
        .name = "order",
        .summary = "orders, their workflow and their payment",
        .endpoints = order_endpoints,
        .endpoint_count = order_endpoint_count,
        .migrations = &order_migrations,
        .handlers = order_handlers,
        .handler_count = order_handler_count,
        .rules = payment_rules,
        .start = start,
        .stop = stop,
        .reload = reload,
        .measure = measure,
    };
    return service_main(&definition, argc, argv);
}
