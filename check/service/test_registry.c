/*
 * The conformance suite of discovery/discovery.h: what every way of discovery holds. Compiled once for each kind of
 * registry (SERVER, a row of check/harness/registry_server.h), so that each is a program.
 *
 * doc/conformance-discovery.md is the table of what came out, by case and registry (make update-discovery-conformance).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "check/harness/conformance.h"
#include "check/service/registry_cases.h"

/* Beside the abilities: it takes seconds. Such cases run with REGISTRY_LONG=1, as by make check-discovery. */
enum { CASE_LONG = 1 << 16 };

const struct registry_server *const cases_server = &SERVER;

/* Those that need what a registry lacks are not run on it; doc/conformance-discovery.md says why. */
static const struct conformance_case table[] = {
    {0, {"the instances of a service are found, and of no other", registry_case_found}},
    {REGISTRY_NOTES, {"all that is known of an instance comes with it", registry_case_notes}},
    {0, {"one that comes is seen, and one that goes is not any more", registry_case_changes}},
    {0, {"all who follow a service see the same", registry_case_same}},
    {0, {"who follows ends at once, whatever it waits for", registry_case_ends}},
    {REGISTRY_REGISTERS | CASE_LONG, {"one that lives stays for longer than its lifetime", registry_case_lives}},
    {REGISTRY_REGISTERS | CASE_LONG, {"one that is killed is forgotten by itself", registry_case_killed}},
    {REGISTRY_REGISTERS, {"one that is critical is not found until it is well", registry_case_critical}},
    {REGISTRY_DOUBTED | CASE_LONG, {"that there are none any more is believed after a time", registry_case_empty}},
    {REGISTRY_AWAY | CASE_LONG,
     {"with the registry away the instances known last stay, and it is told once", registry_case_away}},
    {REGISTRY_AWAY | CASE_LONG,
     {"who begins while the registry is away knows them when it is back", registry_case_away_at_start}},
    {REGISTRY_AWAY, {"who begins anew while the registry is away knows whom it knew", registry_case_remembered}},
    {REGISTRY_AWAY | REGISTRY_REGISTERS | CASE_LONG,
     {"a registry that has forgotten everything is told again, and nobody is missed", registry_case_forgetful}},
    {REGISTRY_COMPACTS, {"a history that was cut is read anew", registry_case_compacted}},
    {REGISTRY_NODES | CASE_LONG, {"with the leader killed it goes on", registry_case_leader}},
    {REGISTRY_SIGNS_IN | CASE_LONG, {"who has to sign in does, and who cannot is told", registry_case_signs_in}},
    {0, {"the table of cases and registries has these cases", conformance_test_page}},
};

int main(void)
{
    char name[64];
    unsigned has = cases_server->abilities | (getenv("REGISTRY_LONG") ? CASE_LONG : 0);
    registry_owner_main();
    snprintf(name, sizeof name, "registry on %s", cases_server->name);
    struct conformance_subject subject = {name, has, cases_server->lacks, cases_server->start, cases_server->stop};
    return conformance_main(&subject, table, sizeof table / sizeof table[0], "doc/conformance-discovery.md",
                            "update-discovery-conformance");
}
