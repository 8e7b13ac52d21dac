#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "check/harness/registry_server.h"

enum { ENDPOINTS_MAX_BYTES = 65536 };

static const char *lacks(void)
{
    return NULL;
}

static enum err start(void)
{
    return ERR_NONE;
}

static void stop(void)
{
}

static void opts(struct discovery_opts *opts)
{
    opts->driver = "static";
}

static enum err put(struct discovery *discovery, const char *service, const struct instance *list, size_t count)
{
    char url[INSTANCE_URL_SIZE];
    struct buf endpoints;
    buf_init(&endpoints, ENDPOINTS_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        buf_addf(&endpoints, " %s=%s;weight=%u;id=%s%s%s%s%s", service, instance_url(&list[i], url), list[i].weight,
                 list[i].id, *list[i].version ? ";version=" : "", list[i].version, *list[i].zone ? ";zone=" : "",
                 list[i].zone);
    enum err err = discovery_reload(discovery, buf_string(&endpoints));
    buf_fini(&endpoints);
    return err;
}

const struct registry_server registry_server_static = {
    .name = "static",
    .abilities = REGISTRY_NOTES,
    .lacks = lacks,
    .start = start,
    .stop = stop,
    .opts = opts,
    .put = put,
};
