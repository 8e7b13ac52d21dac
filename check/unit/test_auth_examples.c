/* The events about tokens that every service hears, as their schemas say they may be. */
#include "config.h"

#include <stdio.h>

#include "app/auth_private.h"
#include "check/harness/suite.h"
#include "check/unit/event_examples.h"

static enum err hand(const struct event *event, char cause[static EXAMPLE_CAUSE_SIZE])
{
    struct auth_revocation revocation = {.user_id = TEXT_NONE};
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    enum err err = auth_revocation_read(event, &arena, &revocation);
    if (err)
        snprintf(cause, EXAMPLE_CAUSE_SIZE, "%s", err_cause());
    else
        CU_ASSERT(text_starts(revocation.user_id, TEXT("0190a000-")));
    arena_fini(&arena);
    return err;
}

static void test_read(void)
{
    static const char *const none[] = {NULL};
    event_examples_hand(AUTH_SESSION_ENDED, none, hand);
    event_examples_hand(AUTH_ACCESS_CHANGED, none, hand);
}

static const struct suite_case cases[] = {
    {"who may not be trusted any more is read as the schema has it", test_read},
};

int main(void)
{
    return suite_main("auth_examples", cases, sizeof cases / sizeof cases[0]);
}
