/*
 * A test program: a table of cases, run by CUnit, told as TAP so that each case is counted by itself.
 *
 *     static const struct suite_case cases[] = {{"the ceiling holds", test_ceiling}, …};
 *     int main(void) { return suite_main("buf", cases, sizeof cases / sizeof cases[0]); }
 *
 * The exit status is EXIT_FAILURE when anything failed.
 */
#ifndef TANDEM_CHECK_HARNESS_SUITE_H
#define TANDEM_CHECK_HARNESS_SUITE_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct suite_case {
    const char *name;     /* a sentence of what holds: "a key given twice is refused" */
    void (*run)(void);
};

/** Runs every case in order and returns what main() is to return. TANDEM_ONLY=TEXT runs those whose name has TEXT. */
int suite_main(const char *suite, const struct suite_case *cases, size_t count);

/* What all cases are run on in turn: "sqlite", "postgresql". */
struct suite_variant {
    const char *name;
    const char *(*missing)(void);  /* why it cannot be had here: its cases are skipped; NULL when it can. May be NULL */
    void (*begin)(void);           /* before its first case */
    void (*end)(void);             /* after all; may be NULL */
};

/** Runs every case on every variant. TANDEM_ONLY=TEXT is looked for in "variant: case". */
int suite_main_on(const char *suite, const struct suite_variant *variants, size_t variant_count,
                  const struct suite_case *cases, size_t count);

/** Marks the running case as skipped, for a part that this machine lacks; a failure when TANDEM_REQUIRE is set. */
void suite_skip(const char *why);

/** Whether a terminal can be made here. Where none can be (a chroot without /dev/pts), the running case is marked as
 *  skipped, also when TANDEM_REQUIRE is set: no package would bring one. */
bool suite_has_terminals(void);

/** Whether it takes at most limit_ms in one of some tries: on a machine that does other things as well, one may wait
 *  for those. take_ns does it once, and returns how long that was. */
bool suite_is_prompt(int64_t (*take_ns)(void), unsigned limit_ms);

#endif
