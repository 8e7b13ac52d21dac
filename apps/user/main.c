/* tandem-user: accounts and sessions. */
#include "config.h"

#include "app/service.h"
#include "apps/user/routes.h"
#include "apps/user/store.h"

int main(int argc, char **argv)
{
    const struct service_definition definition = {
        .name = "user",
        .summary = "accounts and sessions",
        .endpoints = user_endpoints,
        .endpoint_count = user_endpoint_count,
        .migrations = &user_migrations,
        .identify = user_identify,
    };
    return service_main(&definition, argc, argv);
}
