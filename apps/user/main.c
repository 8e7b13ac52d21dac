/* tandem-user: accounts and sessions. */
#include "config.h"

#include <stdlib.h>

#include "app/service.h"
#include "apps/user/app.h"
#include "apps/user/routes.h"
#include "apps/user/store.h"
#include "conf/settings.h"

static void stop(struct service *service)
{
    struct user_app *app = service->app;
    if (!app)
        return;
    attempts_free(app->attempts);
    free(app);
    service->app = NULL;
}

static enum err start(struct service *service)
{
    unsigned entries = (unsigned)settings_int(service->settings, OPTION_SESSION_ATTEMPTS_ENTRIES);
    struct user_app *app = calloc(1, sizeof *app);
    if (!app)
        return err_because(ERR_MEMORY, "no memory for the user service");
    service->app = app;
    app->refused_account = metric_series(METRIC_SIGN_IN_REFUSED, "account");
    app->refused_source = metric_series(METRIC_SIGN_IN_REFUSED, "source");
    enum err err = attempts_new(entries, &app->attempts);
    if (err)
        stop(service);
    return err;
}

int main(int argc, char **argv)
{
    const struct service_definition definition = {
        .name = "user",
        .summary = "accounts and sessions",
        .endpoints = user_endpoints,
        .endpoint_count = user_endpoint_count,
        .migrations = &user_migrations,
        .identify = user_identify,
        .start = start,
        .stop = stop,
    };
    return service_main(&definition, argc, argv);
}
