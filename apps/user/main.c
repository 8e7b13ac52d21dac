/* tandem-user: accounts and sessions. */
#include "config.h"

#include <stdlib.h>

#include "app/service.h"
#include "apps/user/routes.h"
#include "apps/user/store.h"
#include "apps/user/user.h"
#include "conf/settings.h"

static enum err start(struct service *service)
{
    struct user_app *app = calloc(1, sizeof *app);
    if (!app)
        return err_because(ERR_MEMORY, "no memory for the user service");
    app->password_cost.passes = (unsigned)settings_int(service->settings, OPTION_PASSWORD_PASSES);
    app->password_cost.memory_kib = (unsigned)settings_int(service->settings, OPTION_PASSWORD_MEMORY_KIB);
    app->password_min = (unsigned)settings_int(service->settings, OPTION_PASSWORD_MIN_LENGTH);
    app->session_lifetime_s = (unsigned)settings_int(service->settings, OPTION_SESSION_LIFETIME_S);
    app->session_per_user_max = (unsigned)settings_int(service->settings, OPTION_SESSION_PER_USER_MAX);
    password_dummy(&app->password_cost, app->dummy_hash);
    service->app = app;
    return ERR_NONE;
}

static void stop(struct service *service)
{
    free(service->app);
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
