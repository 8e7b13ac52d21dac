/*
 * The command line of tandemctl: a table of commands, each with its options, and one invocation of one of them.
 *
 * Help is made of the same rows, so that it cannot fall behind. Used by the main thread; strings are those of argv.
 */
#ifndef TANDEM_APPS_CTL_INVOCATION_H
#define TANDEM_APPS_CTL_INVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { EXIT_USAGE = 2 };                /* beside EXIT_SUCCESS and EXIT_FAILURE */
enum { INVOCATION_MAX_GIVEN = 64, INVOCATION_MAX_OPERANDS = 256 };

struct invocation;

struct ctl_option {
    const char *name;                   /* "email", for --email */
    const char *value;                  /* what stands for its value in the help, "ADDRESS"; NULL: takes none */
    const char *help;
    bool required;
};

struct command {
    const char *name;                   /* one word to three, "user create" */
    const char *operands;               /* "ADDRESS PATH"; NULL: none; "FILE...": the last may be repeated; "-- …": a
                                           program and its arguments */
    unsigned operand_count;             /* the least; 0 for a program */
    const char *summary;                /* one line */
    const char *details;                /* for its own help */
    bool settings;                      /* also takes --config and --set */
    const struct ctl_option *options;   /* ends with a row whose name is NULL */
    int (*run)(const struct invocation *invocation);   /* returns the exit status */
};

struct given_option {
    const char *name, *value;           /* value "" for one that takes none */
};

struct invocation {
    const struct command *command;
    struct given_option given[INVOCATION_MAX_GIVEN];
    size_t given_count;
    const char *operands[INVOCATION_MAX_OPERANDS];
    size_t operand_count;
    char *const *program;               /* what follows "--", where the command takes a program; ends with NULL */
};

/** Reads the arguments, finds the command in the table (which ends with a row whose name is NULL), and runs it. Help
 *  and usage errors are dealt with here. Returns the exit status. */
int invocation_run(const struct command *commands, int argc, char **argv);

/** The last value given to an option; NULL when it was not given. */
const char *invocation_value(const struct invocation *invocation, const char *name);

/** The value of the option that was given `at` places after the first of its name; NULL when there are not as many. */
const char *invocation_value_at(const struct invocation *invocation, const char *name, size_t at);

/** A whole number in a range; fallback when it was not given. False after a message when it is not one. */
bool invocation_number(const struct invocation *invocation, const char *name, long least, long most, long fallback,
                       long *ret);

/** Permission bits, 0660, or in decimal without the zero. False after a message when they are none. */
bool invocation_mode(const struct invocation *invocation, const char *name, long fallback, long *ret);

/** Says on standard error what is wrong with the way it was called, and where the help is; returns EXIT_USAGE. */
int invocation_usage(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Says on standard error what went wrong; returns EXIT_FAILURE. */
int invocation_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
