#include "config.h"

#include <inttypes.h>

#include "conf/settings_private.h"

enum { DIGESTED_MAX = 1024 * 1024 };

static void print_string(const char *string, struct buf *out)
{
    buf_add_char(out, '"');
    for (; *string; string++) {
        if (*string == '"' || *string == '\\')
            buf_add_char(out, '\\');
        if ((unsigned char)*string < 0x20 || *string == 0x7f)
            buf_addf(out, "\\x%02x", (unsigned)*string);
        else
            buf_add_char(out, *string);
    }
    buf_add_char(out, '"');
}

static void print_value(const struct option *option, union option_value value, struct buf *out)
{
    switch (option->type) {
    case OPTION_INTEGER:
        if (option->octal) {
            buf_addf(out, "\"%04llo\"", (unsigned long long)value.integer);
            return;
        }
        /* libconfig wants the L on what does not fit 32 bits. */
        buf_addf(out, "%" PRId64 "%s", value.integer, value.integer > INT32_MAX ? "L" : "");
        return;
    case OPTION_BOOLEAN:
        buf_add_string(out, value.boolean ? "true" : "false");
        return;
    case OPTION_TEXT:
        print_string(option->hidden && *value.text ? "(hidden)" : value.text, out);
        return;
    }
}

/* In a file, the higher of its two ranks is that of the service's section. */
static bool is_of_section(const struct settings_value *value)
{
    return value->line > 0 && (value->rank - RANK_FILES) % 2 == 1;
}

void settings_print_origin(const struct settings_value *value, struct buf *out)
{
    buf_addf(out, "%s%s", value->layer, is_of_section(value) ? ", service section" : "");
    if (value->line)
        buf_addf(out, " %s:%u", value->origin, value->line);
    else if (value->origin && value->rank != RANK_ARGUMENT)
        buf_addf(out, " %s", value->origin);
}

/* What files may not have is printed as a comment, so that what is printed can be read back. */
static void print_option(const struct option *option, const struct settings_value *value, struct text name,
                         struct buf *out)
{
    buf_addf(out, "    # %s%s%s\n    %s%.*s = ", option->help, *option->unit ? "; in " : "", option->unit,
             option->outside ? "# " : "", TEXT_ARGS(name));
    print_value(option, value->value, out);
    buf_add_string(out, ";    # ");
    settings_print_origin(value, out);
    buf_addf(out, "%s\n", value->awaits_restart ? "; another value awaits a restart" : "");
}

void settings_print(const struct settings *settings, struct buf *out)
{
    struct text group = TEXT_NONE;
    for (size_t i = 0; i < option_count; i++) {
        struct text name = text_of(option_table[i].path);
        struct text this_group = text_split(&name, '.');
        if (!text_equal(this_group, group)) {
            buf_addf(out, "%s%.*s = {\n", group.at ? "};\n\n" : "", TEXT_ARGS(this_group));
            group = this_group;
        }
        print_option(&option_table[i], &settings->values[i], name, out);
    }
    if (group.at)
        buf_add_string(out, "};\n");
}

/* ---- the digest ---- */

enum err settings_make_digest(struct settings *settings)
{
    struct buf all;
    buf_init(&all, DIGESTED_MAX);
    for (size_t i = 0; i < option_count; i++) {
        buf_addf(&all, "%s = ", option_table[i].path);
        print_value(&option_table[i], settings->values[i].value, &all);
        buf_add_char(&all, '\n');
    }
    enum err err = buf_check(&all);
    if (!err)
        digest_hex(buf_text(&all), settings->digest);
    buf_fini(&all);
    return err;
}
