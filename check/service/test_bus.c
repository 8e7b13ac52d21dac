/*
 * The conformance suite of events/bus.h: what every bus holds, whatever carries the events. Compiled once for each
 * kind of broker (BROKER, a row of check/harness/broker.h), so that each is a program.
 *
 *   AWAY_S=N      how long the broker is away (3); make check-bus: 60
 *   KILLS=N       how often it is killed under load (1); make check-bus: 3
 *   BACKLOG=N     how many events a backlog has (5000); make check-bus: 100000
 *
 * doc/conformance-bus.md is the table of what came out, by case and broker (make update-bus-conformance).
 */
#include "config.h"

#include <stdio.h>

#include "check/harness/conformance.h"
#include "check/service/bus_cases.h"
#include "check/service/bus_world.h"

const struct broker *const world_broker = &BROKER;

/* Those that need what a broker lacks are not run on it; doc/conformance-bus.md says why. */
static const struct conformance_case table[] = {
    {0, {"events of a key come in the order in which they were published", bus_case_order}},
    {0, {"a family stands for every version, and other types are not delivered", bus_case_types}},
    {0, {"an event comes with all that it had", bus_case_whole}},
    {0, {"the largest payload and none come as they were", bus_case_sizes}},
    {0, {"a publication with an event that is not well-formed is refused whole", bus_case_refused}},
    {0, {"an event that nobody listens to is no fault", bus_case_nobody_listens}},
    {0, {"a fetch ends by an event, by a wake, or in its time", bus_case_waiting}},
    {0, {"a subscription without a group has what comes after it, for itself", bus_case_without_group}},
    {BROKER_KEEPS, {"a new group begins with the first event there is", bus_case_new_group}},
    {0, {"a backlog is drained in order", bus_case_backlog}},
    {0, {"a slow consumer has all in order, and holds up no other group", bus_case_slow}},
    {0, {"what was acknowledged does not come again, and what was not does first", bus_case_acknowledge}},
    {0, {"a rewind goes back to the last acknowledged, in order", bus_case_rewind}},
    {0, {"a process killed between effect and acknowledgement has its events delivered again", bus_case_crash}},
    {0, {"each group has every event", bus_case_groups}},
    {0, {"the lag is what a group has yet to acknowledge", bus_case_lag}},
    {0, {"two and three consumers of a group come and go, and order per key is kept", bus_case_sharing}},
    {BROKER_BROWSES, {"what is on the bus can be looked at", bus_case_browse}},
    {0, {"an event delivered twice has one effect", bus_case_once}},
    {0, {"a poisoned event is set aside, and the others go on", bus_case_poison}},
    {0, {"a dead letter that is sent again has its effect", bus_case_redrive}},
    {BROKER_GIVES_UP, {"what the broker has given up is a dead letter, and can be sent again", bus_case_given_up}},
    {0, {"another process takes over from a consumer that is killed", bus_case_takeover}},
    {BROKER_AWAY, {"a broker that goes away and comes back has lost nothing", bus_case_away}},
    {BROKER_AWAY, {"a service starts without its broker, and goes on when that is there", bus_case_away_from_start}},
    {BROKER_AWAY, {"a broker that is killed under load has lost nothing that it confirmed", bus_case_killed}},
    {BROKER_AWAY, {"a subscription without a group remembers its place through that", bus_case_without_group_away}},
    {BROKER_NODES, {"a node of a cluster is killed, and the others go on within ten seconds", bus_case_node_killed}},
    {0, {"the table of cases and brokers has these cases", conformance_test_page}},
};

int main(void)
{
    char name[64];
    snprintf(name, sizeof name, "bus on %s", world_broker->name);
    struct conformance_subject subject = {name, world_broker->abilities, world_broker->lacks, world_broker->start,
                                          world_broker->stop};
    return conformance_main(&subject, table, sizeof table / sizeof table[0], "doc/conformance-bus.md",
                            "update-bus-conformance");
}
