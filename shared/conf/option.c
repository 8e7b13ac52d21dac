#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "conf/option.h"

enum { NAME_MAX_LENGTH = 64, NEAR = 4 };

ptrdiff_t option_find(struct text path)
{
    for (size_t i = 0; i < option_count; i++) {
        if (text_equal_string(path, option_table[i].path))
            return (ptrdiff_t)i;
    }
    return -1;
}

/* Levenshtein's distance, a row at a time. */
static unsigned distance(struct text a, const char *b)
{
    unsigned row[NAME_MAX_LENGTH + 1];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; i < a.length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < width; j++) {
            unsigned replaced = diagonal + (a.at[i] != b[j]);
            diagonal = row[j + 1];
            unsigned shifted = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            row[j + 1] = replaced < shifted ? replaced : shifted;
        }
    }
    return row[width];
}

/* Takes the candidate when it is nearer than what was found so far. */
static void compare(struct text name, const char *candidate, unsigned *least, const char **nearest)
{
    unsigned far = name.length > NAME_MAX_LENGTH ? *least : distance(name, candidate);
    if (far < *least) {
        *least = far;
        *nearest = candidate;
    }
}

const char *option_nearest(struct text path)
{
    const char *nearest = NULL;
    unsigned least = NEAR + 1;
    for (size_t i = 0; i < option_count; i++)
        compare(path, option_table[i].path, &least, &nearest);
    return nearest;
}

const char *option_service_nearest(struct text name)
{
    const char *nearest = NULL;
    unsigned least = NEAR + 1;
    for (const char *const *service = option_services; *service; service++)
        compare(name, *service, &least, &nearest);
    return nearest;
}

char *option_environment(const struct option *option, char out[static OPTION_ENVIRONMENT_SIZE])
{
    snprintf(out, OPTION_ENVIRONMENT_SIZE, "TANDEM_%s", option->path);
    for (char *c = out; *c; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    return out;
}

static bool is_choice(struct text choices, const char *value)
{
    while (choices.at) {
        if (text_equal_string(text_split(&choices, '|'), value))
            return true;
    }
    return false;
}

enum err option_check(const struct option *option, union option_value value)
{
    switch (option->type) {
    case OPTION_INTEGER:
        if (option->octal && (value.integer < option->min || value.integer > option->max))
            return err_because(ERR_CONFIG, "%s is %lld, in octal 0%llo, outside %04llo to %04llo; write it in quotes "
                                           "and with a zero before it, \"0660\"", option->path,
                               (long long)value.integer, (long long)value.integer, (long long)option->min,
                               (long long)option->max);
        if (value.integer < option->min || value.integer > option->max)
            return err_because(ERR_CONFIG, "%s is %lld, outside %lld to %lld %s", option->path,
                               (long long)value.integer, (long long)option->min, (long long)option->max, option->unit);
        return ERR_NONE;
    case OPTION_TEXT:
        if (option->choices && !is_choice(text_of(option->choices), value.text))
            return err_because(ERR_CONFIG, "%s is \"%.64s\", not one of %s", option->path, value.text, option->choices);
        if (strlen(value.text) > (size_t)option->max)
            return err_because(ERR_CONFIG, "%s is longer than %lld bytes", option->path, (long long)option->max);
        return ERR_NONE;
    case OPTION_BOOLEAN:
        break;
    }
    return ERR_NONE;
}

enum err option_read(const struct option *option, struct text given, struct arena *arena, union option_value *ret)
{
    union option_value value = {.text = NULL};
    switch (option->type) {
    case OPTION_INTEGER:
        if ((option->octal ? text_to_mode : text_to_int)(given, &value.integer) != ERR_NONE)
            return err_because(ERR_CONFIG, "%s is \"%.*s\", not an integer", option->path, TEXT_ARGS(given));
        break;
    case OPTION_BOOLEAN:
        value.boolean = text_equal_string(given, "true");
        if (!value.boolean && !text_equal_string(given, "false"))
            return err_because(ERR_CONFIG, "%s is \"%.*s\", neither true nor false", option->path, TEXT_ARGS(given));
        break;
    case OPTION_TEXT:
        value.text = arena_string(arena, given);
        if (!value.text)
            return err_because(ERR_MEMORY, "no memory for %s", option->path);
        break;
    }
    enum err err = option_check(option, value);
    if (!err)
        *ret = value;
    return err;
}
