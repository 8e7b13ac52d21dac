/*
 * Running the built tandemctl in a test, in a folder of its own, with what it said kept.
 */
#ifndef TANDEM_CHECK_UNIT_CTL_PROGRAM_H
#define TANDEM_CHECK_UNIT_CTL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum { CTL_OUTPUT_MAX = 256 * 1024 };

struct ctl {
    char *folder;                        /* for the test's files */
    char config[256], database[256];     /* a settings file in it, and the user database that it names */
    char out[CTL_OUTPUT_MAX], err[CTL_OUTPUT_MAX];   /* of the last run, as strings */
};

void ctl_begin(struct ctl *ctl);
void ctl_end(struct ctl *ctl);

/** Runs it with these arguments (up to a NULL) to its end, without a terminal; returns the exit status, -1 when it was
 *  killed. --config is added when with_config. */
int ctl_run(struct ctl *ctl, bool with_config, const char *const *arguments);

/* ctl_run() with the arguments as a list. */
#define CTL(ctl, ...) ctl_run(ctl, true, (const char *const[]){__VA_ARGS__, NULL})
#define CTL_BARE(ctl, ...) ctl_run(ctl, false, (const char *const[]){__VA_ARGS__, NULL})

/** The path of a built program. */
const char *ctl_built(const char *program, char *out, size_t size);

/** A file of the folder, made with this content and mode; returns its path in out. */
const char *ctl_file(struct ctl *ctl, const char *name, const char *content, unsigned mode, char *out, size_t size);

#endif
