/*
 * The conformance suite of discovery/discovery.h: what every way of discovery holds. Compiled once for each kind of
 * registry (SERVER, a row of check/harness/registry_server.h), so that each is a program.
 *
 * doc/conformance-discovery.md is the table of what came out, by case and registry (make update-discovery-conformance).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/harness/suite.h"
#include "check/service/registry_cases.h"

enum { LINE_SIZE = 512 };

/* Beside the abilities: it takes seconds. Such cases run with REGISTRY_LONG=1, as by make check-discovery. */
enum { CASE_LONG = 1 << 16 };

const struct registry_server *const cases_server = &SERVER;

static void test_table(void);

/* Those that need what a registry lacks are not run on it; doc/conformance-discovery.md says why. */
static const struct {
    unsigned needs;                /* enum registry_ability, CASE_LONG */
    struct suite_case suite_case;
} table[] = {
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
    {REGISTRY_AWAY | REGISTRY_REGISTERS | CASE_LONG,
     {"a registry that has forgotten everything is told again, and nobody is missed", registry_case_forgetful}},
    {REGISTRY_COMPACTS, {"a history that was cut is read anew", registry_case_compacted}},
    {REGISTRY_NODES | CASE_LONG, {"with the leader killed it goes on", registry_case_leader}},
    {REGISTRY_SIGNS_IN | CASE_LONG, {"who has to sign in does, and who cannot is told", registry_case_signs_in}},
    {0, {"the table of cases and registries has these cases", test_table}},
};

enum { CASES = sizeof table / sizeof table[0] };

static void test_table(void)
{
    char line[LINE_SIZE];
    const char *folder = getenv("TANDEM_SRCDIR");
    size_t next = 0;
    snprintf(line, sizeof line, "%s/doc/conformance-discovery.md", folder ? folder : ".");
    FILE *file = fopen(line, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file)) {
        struct text rest = text_of(line);
        if (!text_starts(rest, TEXT("| ")) || text_starts(rest, TEXT("| Case ")))
            continue;
        text_split(&rest, '|');
        struct text name = text_trim(text_split(&rest, '|'));
        CU_ASSERT(next < CASES && text_equal_string(name, table[next].suite_case.name));
        next++;
    }
    CU_ASSERT_EQUAL(next, CASES);
    fclose(file);
}

static void test_missing(void)
{
    suite_skip(cases_server->lacks());
}

int main(void)
{
    static struct suite_case cases[CASES];
    unsigned has = cases_server->abilities | (getenv("REGISTRY_LONG") ? CASE_LONG : 0);
    size_t count = 0;
    char suite[64];
    registry_owner_main();
    snprintf(suite, sizeof suite, "registry on %s", cases_server->name);
    if (cases_server->lacks()) {
        cases[0] = (struct suite_case){"there is a registry to run it on", test_missing};
        return suite_main(suite, cases, 1);
    }
    enum err err = cases_server->start();
    if (err) {
        printf("Bail out! the registry does not start: %s\n", err_cause());
        cases_server->stop();
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < CASES; i++)
        if ((table[i].needs & ~has) == 0)
            cases[count++] = table[i].suite_case;
    int status = suite_main(suite, cases, count);
    cases_server->stop();
    return status;
}
