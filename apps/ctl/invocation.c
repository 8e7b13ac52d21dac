#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "apps/ctl/invocation.h"
#include "apps/ctl/invocation_help.h"
#include "base/text.h"

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
    return option || !command->settings ? option : find_in(invocation_settings_options, name);
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

/* What follows "--" is the program's, and no operand. */
static size_t operands_max(const struct command *command)
{
    bool repeats = command->operands && !takes_program(command) && strstr(command->operands, "...");
    return repeats ? INVOCATION_MAX_OPERANDS : command->operand_count;
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
        } else if (invocation->operand_count < operands_max(invocation->command)) {
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

/* ---- help ---- */

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_help(argv[i]))
            return true;
    }
    return false;
}

static int no_command(const struct command *commands, int argc, char **argv)
{
    if (!help_is_group(commands, argv[0]))
        return invocation_usage(NULL, "there is no command '%s'", argv[0]);
    if (argc > 1)
        fprintf(stderr, "tandemctl: there is no command '%s %s'\n", argv[0], argv[1]);
    else
        fprintf(stderr, "tandemctl: %s needs one more word\n", argv[0]);
    fputs("Commands:\n", stderr);
    help_list(stderr, commands, argv[0]);
    fprintf(stderr, "Try 'tandemctl %s --help'.\n", argv[0]);
    return EXIT_USAGE;
}

/* Of what stands before the first option: nothing, a group, or a command. */
static int give_help(const struct command *commands, int argc, char **argv)
{
    int words, given = 0;
    while (given < argc && argv[given][0] != '-')
        given++;
    const struct command *command = find_command(commands, given, argv, &words);
    if (command)
        help_command(stdout, command);
    else if (given == 0)
        help_all(stdout, commands);
    else if (given == 1 && help_is_group(commands, argv[0]))
        help_group(stdout, commands, argv[0]);
    else
        return no_command(commands, given, argv);
    return EXIT_SUCCESS;
}

int invocation_run(const struct command *commands, int argc, char **argv)
{
    struct invocation invocation = {.command = NULL};
    int words = 0;
    argc--;
    argv++;
    if (argc < 1)
        return invocation_usage(NULL, "which command?");
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0) {
        printf("tandemctl %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[0], "help") == 0)
        return give_help(commands, argc - 1, argv + 1);
    if (asks_for_help(argc, argv))
        return give_help(commands, argc, argv);
    invocation.command = find_command(commands, argc, argv, &words);
    if (!invocation.command)
        return no_command(commands, argc, argv);
    if (!take_arguments(&invocation, argc - words, argv + words) || !has_what_is_required(&invocation))
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

bool invocation_mode(const struct invocation *invocation, const char *name, long fallback, long *ret)
{
    const char *value = invocation_value(invocation, name);
    int64_t mode = fallback;
    if (value && (text_to_mode(text_of(value), &mode) != ERR_NONE || mode < 0 || mode > 0777)) {
        invocation_usage(invocation->command, "--%s is from 0000 to 0777, with a zero before it", name);
        return false;
    }
    *ret = (long)mode;
    return true;
}
