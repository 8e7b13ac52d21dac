/*
 * The help of tandemctl, made of the table of commands: of all of them, of a group ("db"), of one ("db backup").
 */
#ifndef TANDEM_APPS_CTL_INVOCATION_HELP_H
#define TANDEM_APPS_CTL_INVOCATION_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "apps/ctl/invocation.h"

/* What every command takes that takes the settings; ends with a row whose name is NULL. */
extern const struct ctl_option invocation_settings_options[];

/** Whether commands begin with this word and a further one. */
bool help_is_group(const struct command *commands, const char *word);

/** The commands that begin with this word, a line each; NULL: all. */
void help_list(FILE *out, const struct command *commands, const char *group);

void help_all(FILE *out, const struct command *commands);
void help_group(FILE *out, const struct command *commands, const char *group);
void help_command(FILE *out, const struct command *command);

#endif
