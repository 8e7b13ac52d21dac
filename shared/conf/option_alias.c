#include "config.h"

#include "conf/option.h"

const struct option_alias option_aliases[] = {
    {"ENABLE_TRACING", OPTION_TRACE_ENABLED, "true=on|false=off"},
};
const size_t option_alias_count = sizeof option_aliases / sizeof option_aliases[0];

struct text option_alias_value(const struct option_alias *alias, struct text given)
{
    struct text words = text_of(alias->words);
    while (words.at) {
        struct text value = text_split(&words, '|');
        if (text_equal(text_split(&value, '='), given))
            return value;
    }
    return given;
}
