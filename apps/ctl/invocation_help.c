#include "config.h"

#include <string.h>

#include "apps/ctl/invocation_help.h"

enum { NAME_COLUMN = 28 };

const struct ctl_option invocation_settings_options[] = {
    {"config", "FILE", "the settings file (default: " SYSCONFDIR "/tandem/tandem.conf)", false},
    {"set", "PATH=VALUE", "one setting, over what the files say; may be repeated", false},
    {NULL, NULL, NULL, false},
};

static bool is_of_group(const struct command *command, const char *word)
{
    size_t length = strlen(word);
    return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

bool help_is_group(const struct command *commands, const char *word)
{
    for (; commands->name; commands++) {
        if (is_of_group(commands, word))
            return true;
    }
    return false;
}

void help_list(FILE *out, const struct command *commands, const char *group)
{
    for (; commands->name; commands++) {
        if (!group || is_of_group(commands, group))
            fprintf(out, "  %-*s %s\n", NAME_COLUMN, commands->name, commands->summary);
    }
}

void help_all(FILE *out, const struct command *commands)
{
    fprintf(out, "usage: tandemctl COMMAND [OPTIONS]\n\nThe operator's command of Tandem.\n\nCommands:\n");
    help_list(out, commands, NULL);
    fprintf(out, "\nOptions:\n  %-*s this help, or that of a command or its first word; so does help [COMMAND]\n"
                 "  %-*s the version\n", NAME_COLUMN, "-h, --help", NAME_COLUMN, "-V, --version");
}

void help_group(FILE *out, const struct command *commands, const char *group)
{
    fprintf(out, "usage: tandemctl %s COMMAND [OPTIONS]\n\nCommands:\n", group);
    help_list(out, commands, group);
    fprintf(out, "\nTry 'tandemctl help %s COMMAND'.\n", group);
}

static void print_options(FILE *out, const struct ctl_option *options)
{
    for (; options->name; options++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        fprintf(out, "  %-*s %s%s\n", NAME_COLUMN, left, options->help, options->required ? " (required)" : "");
    }
}

void help_command(FILE *out, const struct command *command)
{
    fprintf(out, "usage: tandemctl %s [OPTIONS]%s%s\n\n%s\n\nOptions:\n", command->name, command->operands ? " " : "",
            command->operands ? command->operands : "", command->details);
    print_options(out, command->options);
    if (command->settings)
        print_options(out, invocation_settings_options);
    fprintf(out, "  %-*s this help\n", NAME_COLUMN, "-h, --help");
}
