#include "config.h"

#include <json-c/json.h>
#include <string.h>

#include "base/clock.h"
#include "events/bus_kafka.h"

enum { DEPTH_MAX = 16, NS_PER_US = NS_PER_S / US_PER_S };

static int64_t number(struct json_object *object, const char *name)
{
    struct json_object *value;
    return object && json_object_object_get_ex(object, name, &value) ? json_object_get_int64(value) : 0;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value;
    return object && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static void take_brokers(struct bus_kafka *bus, struct json_object *brokers)
{
    int64_t up = 0, slowest_us = 0;
    if (!json_object_is_type(brokers, json_type_object))
        return;
    json_object_object_foreach(brokers, name, broker) {
        const char *state = json_object_get_string(member(broker, "state"));
        int64_t round_trip_us = number(member(broker, "rtt"), "avg");
        (void)name;
        up += state && strcmp(state, "UP") == 0;
        slowest_us = round_trip_us > slowest_us ? round_trip_us : slowest_us;
    }
    metric_set(bus->metric_up, up);
    metric_set(bus->metric_round_trip, slowest_us * NS_PER_US);
    if (up > 0)
        atomic_store(&bus->is_down, false);
}

/* By json-c itself: base/json reads objects whose members are known, and here their names are the brokers'. It comes
 * from the library, not from the broker. */
void kafka_statistics_take(struct bus_kafka *bus, struct text json)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (!tokener)
        return;
    struct json_object *statistics = json_tokener_parse_ex(tokener, json.at, (int)json.length);
    if (statistics) {
        take_brokers(bus, member(statistics, "brokers"));
        metric_set(bus->metric_queued, number(statistics, "msg_cnt"));
    }
    json_object_put(statistics);
    json_tokener_free(tokener);
}
