#include "config.h"

#include "conf/option.h"

#define INTEGER(id, path, initial, min, max, unit, effect, help) \
    [id] = {path, OPTION_INTEGER, initial, min, max, NULL, unit, OPTION_##effect, false, false, false, help, false},
#define MODE(id, path, initial, effect, help) \
    [id] = {path, OPTION_INTEGER, initial, 0, 0777, NULL, "", OPTION_##effect, false, false, false, help, true},
#define TEXTUAL(id, path, initial, max, effect, help) \
    [id] = {path, OPTION_TEXT, initial, 0, max, NULL, "", OPTION_##effect, false, false, false, help, false},
#define CHOICE(id, path, initial, choices, effect, help) \
    [id] = {path, OPTION_TEXT, initial, 0, 64, choices, "", OPTION_##effect, false, false, false, help, false},
#define SECRET(id, path, initial, max, effect, help) \
    [id] = {path, OPTION_TEXT, initial, 0, max, NULL, "", OPTION_##effect, true, false, false, help, false},
#define OUTSIDE(id, path, initial, max, effect, help) \
    [id] = {path, OPTION_TEXT, initial, 0, max, NULL, "", OPTION_##effect, false, true, false, help, false},
#define HIDDEN(id, path, initial, max, effect, help) \
    [id] = {path, OPTION_TEXT, initial, 0, max, NULL, "", OPTION_##effect, false, true, true, help, false},

const struct option option_table[] = {OPTION_TABLE(INTEGER, MODE, TEXTUAL, CHOICE, SECRET, OUTSIDE, HIDDEN)};
const size_t option_count = OPTIONS;

#define RELATION(less, more) {less, more},
const struct option_relation option_relations[] = {OPTION_RELATIONS(RELATION)};
const size_t option_relation_count = sizeof option_relations / sizeof option_relations[0];

#define SERVICE(name) name,
const char *const option_services[] = {OPTION_SERVICES(SERVICE) NULL};
