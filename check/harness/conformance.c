#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "check/harness/conformance.h"

enum { LINE_SIZE = 512, CASES_MAX = 64 };

static struct {
    const struct conformance_subject *subject;
    const struct conformance_case *cases;
    size_t count;
    const char *page, *target;
} running;

static FILE *open_page(void)
{
    char path[LINE_SIZE];
    const char *folder = getenv("TANDEM_SRCDIR");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", running.page);
    return fopen(path, "r");
}

/* A row begins with "| case |". */
void conformance_test_page(void)
{
    char line[LINE_SIZE];
    size_t next = 0;
    FILE *file = open_page();
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file)) {
        struct text rest = text_of(line);
        if (!text_starts(rest, TEXT("| ")) || text_starts(rest, TEXT("| Case ")))
            continue;
        text_split(&rest, '|');
        struct text name = text_trim(text_split(&rest, '|'));
        bool is_next = next < running.count && text_equal_string(name, running.cases[next].suite_case.name);
        if (!is_next)
            printf("# \"%.*s\" is not in its place; run make %s\n", TEXT_ARGS(name), running.target);
        CU_ASSERT(is_next);
        next++;
    }
    CU_ASSERT_EQUAL(next, running.count);
    fclose(file);
}

static void test_missing(void)
{
    suite_skip(running.subject->lacks());
}

int conformance_main(const struct conformance_subject *subject, const struct conformance_case *cases, size_t count,
                     const char *page, const char *target)
{
    static struct suite_case chosen[CASES_MAX];
    size_t chosen_count = 0;
    assert(count <= CASES_MAX);
    running.subject = subject;
    running.cases = cases;
    running.count = count;
    running.page = page;
    running.target = target;
    if (subject->lacks()) {
        const struct suite_case missing = {"there is something to run it on", test_missing};
        return suite_main(subject->name, &missing, 1);
    }
    if (subject->start()) {
        printf("Bail out! it does not start: %s\n", err_cause());
        subject->stop();
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < count; i++)
        if ((cases[i].needs & ~subject->abilities) == 0)
            chosen[chosen_count++] = cases[i].suite_case;
    int status = suite_main(subject->name, chosen, chosen_count);
    subject->stop();
    return status;
}
