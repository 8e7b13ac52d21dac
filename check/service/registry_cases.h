/*
 * The cases of the conformance suite of discovery, see check/service/test_registry.c.
 */
#ifndef TANDEM_CHECK_SERVICE_REGISTRY_CASES_H
#define TANDEM_CHECK_SERVICE_REGISTRY_CASES_H

#include "check/harness/registry_server.h"

/* The kind of registry that this program is for; it runs. */
extern const struct registry_server *const cases_server;

/** First thing in main(): where a case has started this program to be an instance, it is one, and does not return. */
void registry_owner_main(void);

void registry_case_found(void);
void registry_case_notes(void);
void registry_case_changes(void);
void registry_case_same(void);
void registry_case_ends(void);
void registry_case_lives(void);
void registry_case_killed(void);
void registry_case_critical(void);
void registry_case_empty(void);
void registry_case_away(void);
void registry_case_away_at_start(void);
void registry_case_remembered(void);
void registry_case_forgetful(void);
void registry_case_compacted(void);
void registry_case_leader(void);
void registry_case_signs_in(void);

#endif
