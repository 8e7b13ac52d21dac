#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "apps/ctl/invocation.h"
#include "base/text.h"

enum { NAME_COLUMN = 28 };

static const struct ctl_option settings_options[] = {
    {"config", "FILE", "the settings file (default: " SYSCONFDIR "/tandem/tandem.conf)", false},
    {"set", "PATH=VALUE", "one setting, over what the files say; may be repeated", false},
    {NULL, NULL, NULL, false},
};

/* ---- help ---- */

static void print_commands(FILE *out, const struct command *commands)
{
    fprintf(out, "usage: tandemctl COMMAND [OPTIONS]\n\nThe operator's command of Tandem.\n\nCommands:\n");
    for (; commands->name; commands++)
        fprintf(out, "  %-*s %s\n", NAME_COLUMN, commands->name, commands->summary);
    fprintf(out, "\nOptions:\n  %-*s this help, or that of a command\n  %-*s the version\n", NAME_COLUMN, "--help",
            NAME_COLUMN, "--version");
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

static void print_command(FILE *out, const struct command *command)
{
    fprintf(out, "usage: tandemctl %s [OPTIONS]%s%s\n\n%s\n\nOptions:\n", command->name, command->operands ? " " : "",
            command->operands ? command->operands : "", command->details);
    print_options(out, command->options);
    if (command->settings)
        print_options(out, settings_options);
    fprintf(out, "  %-*s this help\n", NAME_COLUMN, "--help");
}

int invocation_usage(const struct command *command, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("tandemctl: ", stderr);
    vfprintf(stderr, format, values);
    va_end(values);
    fprintf(stderr, "\nTry 'tandemctl %s%s--help'.\n", command ? command->name : "", command ? " " : "");
    return EXIT_USAGE;
}

int invocation_failure(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("tandemctl: ", stderr);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

/* ---- finding the command ---- */

/* How many of the arguments are the name of this command; 0 when they are not. */
static int words_of(const struct command *command, int argc, char **argv)
{
    struct text rest = text_of(command->name);
    int words = 0;
    while (rest.at) {
        if (words >= argc || !text_equal_string(text_split(&rest, ' '), argv[words]))
            return 0;
        words++;
    }
    return words;
}

static const struct command *find_command(const struct command *commands, int argc, char **argv, int *ret_words)
{
    for (; commands->name; commands++) {
        *ret_words = words_of(commands, argc, argv);
        if (*ret_words > 0)
            return commands;
    }
    return NULL;
}

/* ---- options and operands ---- */

static const struct ctl_option *find_in(const struct ctl_option *options, struct text name)
{
    for (; options->name; options++) {
        if (text_equal_string(name, options->name))
            return options;
    }
    return NULL;
}

static const struct ctl_option *find_option(const struct command *command, struct text name)
{
    const struct ctl_option *option = find_in(command->options, name);
    return option || !command->settings ? option : find_in(settings_options, name);
}

/* Takes the option at argv[0] with its value, in the form --name VALUE or --name=VALUE. Returns how many arguments it
 * was, or 0 after a message. */
static int take_option(struct invocation *invocation, int argc, char **argv)
{
    const struct command *command = invocation->command;
    struct text value = text_of(argv[0] + strlen("--"));
    struct text name = text_split(&value, '=');
    const struct ctl_option *option = find_option(command, name);
    struct given_option *given = &invocation->given[invocation->given_count];
    if (!option)
        return invocation_usage(command, "--%.*s is not an option of this command", TEXT_ARGS(name)), 0;
    if (invocation->given_count == INVOCATION_MAX_GIVEN)
        return invocation_usage(command, "too many options"), 0;
    if (!option->value && value.at)
        return invocation_usage(command, "--%s takes no value", option->name), 0;
    if (option->value && !value.at && argc < 2)
        return invocation_usage(command, "--%s needs a value", option->name), 0;

    bool next = option->value && !value.at;
    given->name = option->name;
    given->value = next ? argv[1] : value.at ? value.at : "";
    invocation->given_count++;
    return next ? 2 : 1;
}

static bool takes_program(const struct command *command)
{
    return command->operands && strncmp(command->operands, "--", 2) == 0;
}

static bool take_arguments(struct invocation *invocation, int argc, char **argv)
{
    bool options_end = false;
    for (int at = 0; at < argc;) {
        if (!options_end && strcmp(argv[at], "--") == 0 && takes_program(invocation->command)) {
            invocation->program = argv + at + 1;
            return true;
        }
        if (!options_end && strcmp(argv[at], "--") == 0) {
            options_end = true;
            at++;
        } else if (!options_end && strncmp(argv[at], "--", 2) == 0) {
            int taken = take_option(invocation, argc - at, argv + at);
            if (taken == 0)
                return false;
            at += taken;
        } else if (invocation->operand_count < invocation->command->operand_count) {
            invocation->operands[invocation->operand_count++] = argv[at++];
        } else {
            invocation_usage(invocation->command, "what is '%s'?", argv[at]);
            return false;
        }
    }
    return true;
}

static bool has_what_is_required(const struct invocation *invocation)
{
    const struct command *command = invocation->command;
    bool lacks_program = takes_program(command) && (!invocation->program || !*invocation->program);
    if (lacks_program || invocation->operand_count < command->operand_count) {
        invocation_usage(command, "%s needs %s", command->name, command->operands);
        return false;
    }
    for (const struct ctl_option *option = command->options; option->name; option++) {
        if (option->required && !invocation_value(invocation, option->name)) {
            invocation_usage(command, "--%s is required", option->name);
            return false;
        }
    }
    return true;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

int invocation_run(const struct command *commands, int argc, char **argv)
{
    struct invocation invocation = {.command = NULL};
    int words = 0;
    if (argc < 2)
        return invocation_usage(NULL, "which command?");
    if (strcmp(argv[1], "--version") == 0) {
        printf("tandemctl %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    invocation.command = find_command(commands, argc - 1, argv + 1, &words);
    if (asks_for_help(argc - 1, argv + 1)) {
        if (invocation.command)
            print_command(stdout, invocation.command);
        else
            print_commands(stdout, commands);
        return EXIT_SUCCESS;
    }
    if (!invocation.command)
        return invocation_usage(NULL, "there is no command '%s%s%s'", argv[1], argc > 2 ? " " : "",
                                argc > 2 ? argv[2] : "");
    if (!take_arguments(&invocation, argc - 1 - words, argv + 1 + words) || !has_what_is_required(&invocation))
        return EXIT_USAGE;
    return invocation.command->run(&invocation);
}

/* ---- asking for values ---- */

const char *invocation_value_at(const struct invocation *invocation, const char *name, size_t at)
{
    for (size_t i = 0; i < invocation->given_count; i++) {
        if (strcmp(invocation->given[i].name, name) == 0 && at-- == 0)
            return invocation->given[i].value;
    }
    return NULL;
}

const char *invocation_value(const struct invocation *invocation, const char *name)
{
    for (size_t i = invocation->given_count; i > 0; i--) {
        if (strcmp(invocation->given[i - 1].name, name) == 0)
            return invocation->given[i - 1].value;
    }
    return NULL;
}

bool invocation_number(const struct invocation *invocation, const char *name, long least, long most, long fallback,
                       long *ret)
{
    const char *value = invocation_value(invocation, name);
    int64_t number = fallback;
    if (value && (text_to_int(text_of(value), &number) != ERR_NONE || number < least || number > most)) {
        invocation_usage(invocation->command, "--%s is a number from %ld to %ld", name, least, most);
        return false;
    }
    *ret = (long)number;
    return true;
}
