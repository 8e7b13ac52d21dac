/* GET /endpoints: the instances of other services, as this process sees them. */
#include "config.h"

#include <stdlib.h>

#include "app/discovery_settings.h"
#include "app/service.h"
#include "base/clock.h"

static const char *const states[] = {
    [BREAKER_CLOSED] = "in", [BREAKER_HALF_OPEN] = "probation", [BREAKER_OPEN] = "out"};

static void write_instance(struct json_writer *writer, const struct balancer_view *view)
{
    char url[INSTANCE_URL_SIZE];
    json_object_begin(writer);
    json_member_string(writer, "id", view->instance.id);
    json_member_string(writer, "url", instance_url(&view->instance, url));
    json_member_string(writer, "zone", view->instance.zone);
    json_member_string(writer, "version", view->instance.version);
    json_member_integer(writer, "weight", view->instance.weight);
    json_member_string(writer, "state", states[view->state]);
    if (view->state != BREAKER_CLOSED)
        json_member_string(writer, "why", view->wait_ns > 0 ? "failed too often in a row" : "is to be tried next");
    json_key(writer, "wait_ms");
    json_milliseconds(writer, view->wait_ns);
    json_member_integer(writer, "failures", view->failures);
    json_member_integer(writer, "outstanding", view->outstanding);
    json_member_integer(writer, "share_percent", view->share_percent);
    json_key(writer, "latency_ms");
    json_milliseconds(writer, view->latency_us * (NS_PER_S / US_PER_S));
    json_member_boolean(writer, "preferred", view->is_preferred);
    json_object_end(writer);
}

static enum err write_instances(struct call *call, struct json_writer *writer)
{
    struct service *service = call->service;
    struct balancer_view *views = calloc(INSTANCES_MAX, sizeof views[0]);
    if (!views)
        return err_because(ERR_MEMORY, "no memory for instances");
    size_t count = client_view(service->user_client, views, INSTANCES_MAX);
    for (size_t i = 0; i < count; i++)
        write_instance(writer, &views[i]);
    free(views);
    return ERR_NONE;
}

/* How well it is known where they are. */
static void write_source(const struct service *service, struct json_writer *writer)
{
    struct discovery_state state = {.is_known = false};
    if (service->user_watch)
        discovery_state(service->user_watch, &state);
    json_member_string(writer, "source", service->user_watch
                                             ? settings_text(service->settings, OPTION_DISCOVERY_DRIVER)
                                             : "user.url");
    json_member_boolean(writer, "known", state.is_known || !service->user_watch);
    if (state.is_remembered)
        json_member_boolean(writer, "remembered", true);
    if (state.err)
        json_member_string(writer, "fault", state.cause);
    if (state.refused)
        json_member_integer(writer, "not_understood", state.refused);
    if (!service->user_watch)
        json_member_string(writer, "url", settings_text(service->settings, OPTION_USER_URL));
}

static enum err write_user_service(struct call *call, struct json_writer *writer)
{
    json_object_begin(writer);
    json_member_string(writer, "service", "user");
    write_source(call->service, writer);
    json_key(writer, "instances");
    json_array_begin(writer);
    enum err err = write_instances(call, writer);
    json_array_end(writer);
    json_object_end(writer);
    return err;
}

enum err discovery_page(struct call *call)
{
    struct json_writer writer;
    enum err err = ERR_NONE;
    call_header(call, "Cache-Control", "no-store");
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_member_boolean(&writer, "registered", discovery_is_registered(call->service->discovery));
    json_key(&writer, "sees");
    json_array_begin(&writer);
    if (call->service->user_client)
        err = write_user_service(call, &writer);
    json_array_end(&writer);
    json_object_end(&writer);
    return err;
}
