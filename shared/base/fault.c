#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/id.h"

enum { PLAN_MAX_BYTES = 1000, CHANCES = 1000000 };

struct rule {
    enum fault_point point;
    enum fault_action action;
    int64_t delay_ms, nth, count;      /* count 0: without end */
    int64_t chances;                   /* of CHANCES */
    int64_t met, done;
};

struct plan {
    struct rule rules[FAULT_RULES_MAX];
    size_t count;
};

const struct fault_row fault_table[FAULT_POINTS] = {
#define FAULT_ROW(id, name, actions, err, help) {name, FAULT_DELAY | FAULT_KILL | (actions), err, help},
    FAULT_TABLE(FAULT_ROW)
#undef FAULT_ROW
};

static const struct {
    enum fault_action action;
    const char *name;
} actions[] = {
    {FAULT_DELAY, "delay"}, {FAULT_ERROR, "error"}, {FAULT_DROP, "drop"}, {FAULT_KILL, "kill"},
};
enum { ACTIONS = sizeof actions / sizeof actions[0] };

atomic_bool fault_armed;

static atomic_uint_fast64_t counts[FAULT_POINTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* of the two below */
static struct plan armed_plan;
static char armed_text[PLAN_MAX_BYTES + 1];

const char *fault_action_name(enum fault_action action)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (actions[i].action == action)
            return actions[i].name;
    return "";
}

/* ---- reading a plan ---- */

/* What may stand in place of what does not, for the message. */
static enum err unknown_point(struct text name)
{
    char names[400] = "";
    size_t length = 0;
    for (size_t i = 0; i < FAULT_POINTS && length < sizeof names; i++)
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "", fault_table[i].name);
    return err_because(ERR_CONFIG, "there is no point \"%.*s\", but %s", TEXT_ARGS(name), names);
}

static enum err read_point(struct text name, enum fault_point *ret)
{
    for (size_t i = 0; i < FAULT_POINTS; i++) {
        if (text_equal_string(name, fault_table[i].name)) {
            *ret = (enum fault_point)i;
            return ERR_NONE;
        }
    }
    return unknown_point(name);
}

/* "0.25" of a million, without the rounding of floating point. */
static enum err read_chances(struct text given, int64_t *ret)
{
    struct text fraction = given;
    struct text whole = text_split(&fraction, '.');
    int64_t ones = 0, millionths = 0, scale = CHANCES;
    enum err err = text_to_int(whole, &ones);
    if (!err && fraction.at)
        err = fraction.length <= 6 && fraction.length > 0 && fraction.at[0] != '-' ? text_to_int(fraction, &millionths)
                                                                                  : ERR_MALFORMED;
    for (size_t i = 0; fraction.at && i < fraction.length; i++)
        scale /= 10;
    int64_t chances = ones * CHANCES + (fraction.at ? millionths * scale : 0);
    if (err || text_starts(given, TEXT("-")) || ones > 1 || chances < 1 || chances > CHANCES)
        return err_because(ERR_CONFIG, "probability=%.*s is not from 0.000001 to 1", TEXT_ARGS(given));
    *ret = chances;
    return ERR_NONE;
}

static enum err read_number(struct text name, struct text given, int64_t most, int64_t *ret)
{
    int64_t number = 0;
    if (text_to_int(given, &number) != ERR_NONE || number < 1 || number > most)
        return err_because(ERR_CONFIG, "%.*s=%.*s is not from 1 to %lld", TEXT_ARGS(name), TEXT_ARGS(given),
                           (long long)most);
    *ret = number;
    return ERR_NONE;
}

static enum err read_condition(struct text word, struct rule *rule)
{
    struct text value = word;
    struct text name = text_split(&value, '=');
    if (text_equal_string(name, "nth"))
        return read_number(name, value, INT32_MAX, &rule->nth);
    if (text_equal_string(name, "count"))
        return read_number(name, value, INT32_MAX, &rule->count);
    if (text_equal_string(name, "probability"))
        return read_chances(value, &rule->chances);
    return err_because(ERR_CONFIG, "\"%.*s\" is none of nth=N, count=N and probability=P", TEXT_ARGS(word));
}

static enum err read_action(struct text word, struct rule *rule)
{
    struct text value = word;
    struct text name = text_split(&value, '=');
    unsigned allowed = fault_table[rule->point].actions;
    for (size_t i = 0; i < ACTIONS; i++) {
        if (!(allowed & actions[i].action) || !text_equal_string(name, actions[i].name))
            continue;
        rule->action = actions[i].action;
        if (rule->action == FAULT_DELAY)
            return read_number(name, value, FAULT_DELAY_MAX_MS, &rule->delay_ms);
        if (!value.at)
            return ERR_NONE;
    }
    return err_because(ERR_CONFIG, "\"%.*s\" is none of what %s can be: delay=MS, kill%s%s", TEXT_ARGS(word),
                       fault_table[rule->point].name, allowed & FAULT_ERROR ? ", error" : "",
                       allowed & FAULT_DROP ? ", drop" : "");
}

/* The next word, absent when there is none. */
static struct text next_word(struct text *rest)
{
    struct text word = TEXT_NONE;
    while (rest->at && word.length == 0)
        word = text_split(rest, ' ');
    return word.length ? word : TEXT_NONE;
}

static enum err read_rule(struct text given, struct rule *rule)
{
    struct text word = next_word(&given);
    enum err err = read_point(word, &rule->point);
    if (err)
        return err;
    *rule = (struct rule){.point = rule->point, .nth = 1, .count = -1, .chances = CHANCES};
    word = next_word(&given);
    if (!word.at)
        return err_because(ERR_CONFIG, "%s: say what is to happen there", fault_table[rule->point].name);
    err = read_action(word, rule);
    bool is_nth = false;
    while (!err && (word = next_word(&given)).at) {
        is_nth |= text_starts(word, TEXT("nth="));
        err = read_condition(word, rule);
    }
    if (rule->count < 0)
        rule->count = is_nth ? 1 : 0;
    return err;
}

static enum err read_plan(struct text given, struct plan *plan)
{
    enum err err = ERR_NONE;
    if (given.length > PLAN_MAX_BYTES)
        return err_because(ERR_CONFIG, "a plan of faults is at most %d bytes", PLAN_MAX_BYTES);
    struct text rest = text_trim(given);
    if (rest.length == 0)
        return ERR_NONE;
    while (!err && rest.at) {
        if (plan->count == FAULT_RULES_MAX)
            return err_because(ERR_CONFIG, "a plan has at most %d rules", FAULT_RULES_MAX);
        err = read_rule(text_trim(text_split(&rest, ',')), &plan->rules[plan->count++]);
    }
    return err;
}

enum err fault_check(struct text plan)
{
    struct plan read = {.count = 0};
    return read_plan(plan, &read);
}

enum err fault_arm(struct text plan)
{
    struct plan read = {.count = 0};
    enum err err = read_plan(plan, &read);
    if (err)
        return err;
    pthread_mutex_lock(&lock);
    if (!text_equal_string((struct text){plan.at ? plan.at : "", plan.length}, armed_text)) {
        armed_plan = read;
        snprintf(armed_text, sizeof armed_text, "%.*s", TEXT_ARGS(plan));
        atomic_store(&fault_armed, read.count > 0);
    }
    pthread_mutex_unlock(&lock);
    return ERR_NONE;
}

uint64_t fault_count(enum fault_point point)
{
    return atomic_load_explicit(&counts[point], memory_order_relaxed);
}

/* ---- at a point ---- */

/* Whether this rule's time has come. */
static bool is_due(struct rule *rule)
{
    if (++rule->met < rule->nth || (rule->count > 0 && rule->done >= rule->count))
        return false;
    if (rule->chances < CHANCES && random_below(CHANCES) >= (uint32_t)rule->chances)
        return false;
    rule->done++;
    return true;
}

static void wait_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    while (nanosleep(&pause, &pause) != 0)
        continue;
}

static void end_at_once(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* A point may have several rules: all that are due happen, and the waiting first. */
enum err fault_meet(enum fault_point point)
{
    unsigned due = 0;
    int64_t delay_ms = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < armed_plan.count; i++) {
        struct rule *rule = &armed_plan.rules[i];
        if (rule->point != point || !is_due(rule))
            continue;
        due |= rule->action;
        delay_ms += rule->delay_ms;
    }
    pthread_mutex_unlock(&lock);
    if (!due)
        return ERR_NONE;
    atomic_fetch_add_explicit(&counts[point], 1, memory_order_relaxed);
    wait_ms(delay_ms);
    if (due & FAULT_KILL)
        end_at_once();
    if (!(due & (FAULT_ERROR | FAULT_DROP)))
        return ERR_NONE;
    return err_because(fault_table[point].err, "a fault on demand at %s", fault_table[point].name);
}
