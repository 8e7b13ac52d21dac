#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/event_examples.h"

enum { EXAMPLE_MAX = EVENT_MAX_BYTES };

struct example {
    struct text type, label, data;
    bool is_good;
};

static FILE *open_examples(void)
{
    char path[512];
    const char *folder = getenv("TANDEM_SRCDIR");
    snprintf(path, sizeof path, "%s/check/unit/event_examples.tsv", folder ? folder : ".");
    return fopen(path, "r");
}

/* False at the end. */
static bool read_example(FILE *file, char *line, struct example *ret)
{
    if (!fgets(line, EXAMPLE_MAX, file))
        return false;
    struct text rest = text_of(line);
    rest.length -= rest.length && rest.at[rest.length - 1] == '\n';
    struct example example = {.type = text_split(&rest, '\t')};
    example.is_good = text_equal_string(text_split(&rest, '\t'), "ok");
    example.label = text_split(&rest, '\t');
    example.data = rest;
    *ret = example;
    return true;
}

static bool is_unread(const char *const *unread, struct text pointer)
{
    for (; *unread; unread++)
        if (text_equal_string(pointer, *unread))
            return true;
    return false;
}

static void fail(const struct example *example, const char *what, enum err err, const char *cause)
{
    char said[1024];
    snprintf(said, sizeof said, "%.*s, %.*s: %s (%s, %s): %.200s", TEXT_ARGS(example->type), TEXT_ARGS(example->label),
             what, err_name(err), cause, example->data.at);
    CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_FALSE);
}

static void hand_over(const struct example *example, const char *const *unread, example_hand *hand)
{
    char cause[EXAMPLE_CAUSE_SIZE] = "", pointer[128];
    const struct event event = {
        .id = TEXT("0190a000-0000-7000-8000-0000000000ff"), .type = example->type, .source = TEXT("/tandem/test"),
        .subject = TEXT("subject"), .time_us = clock_wall_us(), .data = example->data,
    };
    enum err err = hand(&event, cause);
    snprintf(pointer, sizeof pointer, "\"%.*s\"", TEXT_ARGS(example->label));
    if (example->is_good || is_unread(unread, example->label)) {
        CU_ASSERT_EQUAL(err, ERR_NONE);
        if (err)
            fail(example, "is refused", err, cause);
    } else if (err != ERR_INVALID) {
        fail(example, "is not refused as it should be", err, cause);
    } else {
        CU_ASSERT_PTR_NOT_NULL(strstr(cause, pointer));
        if (!strstr(cause, pointer))
            fail(example, "is refused without saying which", err, cause);
    }
}

void event_examples_hand(const char *type, const char *const *unread, example_hand *hand)
{
    FILE *file = open_examples();
    char *line = malloc(EXAMPLE_MAX);
    struct example example;
    size_t good = 0, bad = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    while (read_example(file, line, &example)) {
        if (!text_equal_string(example.type, type))
            continue;
        hand_over(&example, unread, hand);
        good += example.is_good;
        bad += !example.is_good;
    }
    CU_ASSERT(good >= 4 && bad >= 4);
    free(line);
    fclose(file);
}
