#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "net/balancer.h"

/* NOBODY_WAIT_MS: how long one may well wait where no instance is known. */
enum { SHARE_LEAST_PERCENT = 10, SHARE_WHOLE_PERCENT = 100, LATENCY_FADES_MS = 5000, NOBODY_WAIT_MS = 1000 };

struct balancer_member {
    struct instance instance;
    char *url;
    struct breaker breaker;
    unsigned references;               /* of the list and of calls on their way */
    unsigned outstanding;
    int64_t joined_ns;                 /* when its slow start began; 0: it had none */
    int64_t latency_us, measured_ns;   /* 0: not known */
};

struct balancer {
    pthread_mutex_t lock;              /* of all that follows, but for the members' breakers */
    char zone[INSTANCE_NOTE_SIZE];
    unsigned slow_start_ms;
    struct breaker_opts breaker;
    uint32_t (*random)(uint32_t below);
    struct balancer_member *fixed;     /* of a fixed one: never changes, and needs no lock */
    struct balancer_member **members;  /* by id */
    size_t count;
    bool was_updated;
};

/* ---- members ---- */

static struct balancer_member *member_new(const char *url, const struct breaker_opts *breaker)
{
    struct balancer_member *member = calloc(1, sizeof *member);
    char *copy = strdup(url);
    if (!member || !copy) {
        free(member);
        free(copy);
        return NULL;
    }
    member->url = copy;
    member->references = 1;
    breaker_init(&member->breaker, breaker);
    return member;
}

static void member_unref(struct balancer_member *member)
{
    if (!member || --member->references > 0)
        return;
    breaker_fini(&member->breaker);
    free(member->url);
    free(member);
}

/* ---- life ---- */

enum err balancer_new(const struct balancer_opts *opts, struct balancer **ret)
{
    const char *zone = opts->zone ? opts->zone : "";
    if (strlen(zone) >= INSTANCE_NOTE_SIZE)
        return err_because(ERR_INVALID, "the zone \"%s\" is too long", zone);
    struct balancer *balancer = calloc(1, sizeof *balancer);
    if (!balancer)
        return err_because(ERR_MEMORY, "no memory to balance calls");
    snprintf(balancer->zone, sizeof balancer->zone, "%s", zone);
    balancer->slow_start_ms = opts->slow_start_ms;
    balancer->breaker = opts->breaker;
    balancer->random = opts->random ? opts->random : random_below;
    pthread_mutex_init(&balancer->lock, NULL);
    *ret = balancer;
    return ERR_NONE;
}

enum err balancer_new_fixed(const char *url, const struct breaker_opts *breaker, struct balancer **ret)
{
    const struct balancer_opts opts = {.breaker = *breaker};
    struct balancer *balancer;
    enum err err = balancer_new(&opts, &balancer);
    if (err)
        return err;
    balancer->fixed = member_new(url, breaker);
    if (!balancer->fixed) {
        balancer_free(balancer);
        return err_because(ERR_MEMORY, "no memory for %s", url);
    }
    *ret = balancer;
    return ERR_NONE;
}

void balancer_free(struct balancer *balancer)
{
    if (!balancer)
        return;
    for (size_t i = 0; i < balancer->count; i++)
        member_unref(balancer->members[i]);
    member_unref(balancer->fixed);
    free(balancer->members);
    pthread_mutex_destroy(&balancer->lock);
    free(balancer);
}

/* ---- who there is ---- */

/* The same process at the same place: then what is known of it holds. */
static struct balancer_member *find(const struct balancer *balancer, const struct instance *instance, const char *url)
{
    for (size_t i = 0; i < balancer->count; i++)
        if (strcmp(balancer->members[i]->instance.id, instance->id) == 0 &&
            strcmp(balancer->members[i]->url, url) == 0)
            return balancer->members[i];
    return NULL;
}

static struct balancer_member *keep_or_make(struct balancer *balancer, const struct instance *instance, int64_t now_ns)
{
    char url[INSTANCE_URL_SIZE];
    struct balancer_member *member = find(balancer, instance, instance_url(instance, url));
    if (member) {
        member->references++;
    } else {
        member = member_new(url, &balancer->breaker);
        if (!member)
            return NULL;
        member->joined_ns = balancer->was_updated ? now_ns : 0;
    }
    member->instance = *instance;
    return member;
}

enum err balancer_update(struct balancer *balancer, const struct instances *instances, int64_t now_ns)
{
    size_t count = 0;
    assert(!balancer->fixed);
    struct balancer_member **members = calloc(instances->count + 1, sizeof(struct balancer_member *));
    if (!members)
        return err_because(ERR_MEMORY, "no memory for %zu instances", instances->count);
    pthread_mutex_lock(&balancer->lock);
    while (count < instances->count && (members[count] = keep_or_make(balancer, &instances->list[count], now_ns)))
        count++;
    bool is_whole = count == instances->count;
    struct balancer_member **gone = is_whole ? balancer->members : members;
    size_t gone_count = is_whole ? balancer->count : count;
    if (is_whole) {
        balancer->members = members;
        balancer->count = count;
        balancer->was_updated = balancer->was_updated || count > 0;
    }
    for (size_t i = 0; i < gone_count; i++)
        member_unref(gone[i]);
    pthread_mutex_unlock(&balancer->lock);
    free(gone);
    return is_whole ? ERR_NONE : err_because(ERR_MEMORY, "no memory for %zu instances", instances->count);
}

/* ---- choosing, with the lock ---- */

static bool is_in(struct balancer_member *member)
{
    return breaker_state(&member->breaker) == BREAKER_CLOSED;
}

/* Half of a zone that is well can bear the whole of its calls; less than half is better helped by others. */
static bool zone_is_preferred(const struct balancer *balancer)
{
    size_t there = 0, well = 0;
    if (!*balancer->zone)
        return false;
    for (size_t i = 0; i < balancer->count; i++) {
        bool is_there = strcmp(balancer->members[i]->instance.zone, balancer->zone) == 0;
        there += is_there;
        well += is_there && is_in(balancer->members[i]);
    }
    return well > 0 && well * 2 >= there;
}

static unsigned share_percent(const struct balancer *balancer, const struct balancer_member *member, int64_t now_ns)
{
    int64_t whole_ns = balancer->slow_start_ms * NS_PER_MS, age_ns = now_ns - member->joined_ns;
    if (member->joined_ns == 0 || age_ns >= whole_ns)
        return SHARE_WHOLE_PERCENT;
    int64_t percent = age_ns * SHARE_WHOLE_PERCENT / whole_ns;
    return percent > SHARE_LEAST_PERCENT ? (unsigned)percent : SHARE_LEAST_PERCENT;
}

static int64_t faded_us(const struct balancer_member *member, int64_t now_ns)
{
    int64_t idle_ms = (now_ns - member->measured_ns) / NS_PER_MS;
    return member->latency_us * LATENCY_FADES_MS / (LATENCY_FADES_MS + (idle_ms > 0 ? idle_ms : 0));
}

/* Of one of which nothing is known, that of the other is assumed. */
static bool is_better(const struct balancer_member *a, const struct balancer_member *b, int64_t now_ns)
{
    int64_t a_us = faded_us(a, now_ns), b_us = faded_us(b, now_ns);
    if (a->measured_ns == 0 || b->measured_ns == 0)
        a_us = b_us = 1;
    int64_t a_cost = (a->outstanding + 1) * (a_us + 1), b_cost = (b->outstanding + 1) * (b_us + 1);
    return a_cost * b->instance.weight < b_cost * a->instance.weight;
}

struct draw {
    struct balancer_member *from[INSTANCES_MAX];
    size_t count;
};

static void gather(const struct balancer *balancer, bool own_zone, const struct balancer_member *failed,
                   struct draw *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < balancer->count; i++) {
        struct balancer_member *member = balancer->members[i];
        if (member != failed && is_in(member) && (!own_zone || strcmp(member->instance.zone, balancer->zone) == 0))
            ret->from[ret->count++] = member;
    }
}

/* Newcomers are there as often as their share says; when only newcomers are, always. */
static void hold_back_newcomers(const struct balancer *balancer, struct draw *draw, int64_t now_ns)
{
    size_t kept = 0;
    struct balancer_member *all[INSTANCES_MAX];
    memcpy(all, draw->from, draw->count * sizeof all[0]);
    for (size_t i = 0; i < draw->count; i++) {
        unsigned percent = share_percent(balancer, all[i], now_ns);
        if (percent == SHARE_WHOLE_PERCENT || balancer->random(SHARE_WHOLE_PERCENT) < percent)
            draw->from[kept++] = all[i];
    }
    if (kept > 0)
        draw->count = kept;
    else
        memcpy(draw->from, all, draw->count * sizeof all[0]);
}

static struct balancer_member *better_of_two(const struct balancer *balancer, const struct draw *draw, int64_t now_ns)
{
    if (draw->count < 2)
        return draw->count ? draw->from[0] : NULL;
    uint32_t first = balancer->random((uint32_t)draw->count), second = balancer->random((uint32_t)draw->count - 1);
    second += second >= first;
    return is_better(draw->from[second], draw->from[first], now_ns) ? draw->from[second] : draw->from[first];
}

/* One whose time out is over, and which nobody tries yet. */
static struct balancer_member *on_probation(const struct balancer *balancer, const struct balancer_member *failed,
                                            int64_t now_ns)
{
    for (size_t i = 0; i < balancer->count; i++) {
        struct balancer_member *member = balancer->members[i];
        if (member != failed && !is_in(member) && breaker_wait_ns(&member->breaker, now_ns) == 0)
            return member;
    }
    return NULL;
}

static struct balancer_member *draw_member(const struct balancer *balancer, const struct balancer_member *failed,
                                           int64_t now_ns)
{
    struct draw draw;
    gather(balancer, zone_is_preferred(balancer), failed, &draw);
    if (draw.count == 0)
        gather(balancer, false, failed, &draw);
    hold_back_newcomers(balancer, &draw, now_ns);
    return better_of_two(balancer, &draw, now_ns);
}

/* In the order in which they are asked for: who is to be tried, who is well, who is not, and even the one that the call
 * has just failed at. */
static struct balancer_member *choose(const struct balancer *balancer, int64_t now_ns, bool may_repeat,
                                      const struct balancer_member *failed)
{
    struct balancer_member *member = may_repeat && !failed ? on_probation(balancer, NULL, now_ns) : NULL;
    if (!member)
        member = draw_member(balancer, failed, now_ns);
    if (!member)
        member = on_probation(balancer, failed, now_ns);
    if (!member && failed)
        member = draw_member(balancer, NULL, now_ns);
    return member;
}

/* ---- choosing ---- */

static bool choose_fixed(struct balancer_member *member, int64_t now_ns, struct balancer_choice *ret)
{
    struct breaker_pass pass;
    if (!breaker_admit(&member->breaker, now_ns, &pass))
        return false;
    *ret = (struct balancer_choice){member, member->url, pass, now_ns};
    return true;
}

bool balancer_choose(struct balancer *balancer, int64_t now_ns, bool may_repeat, const struct balancer_member *failed,
                     struct balancer_choice *ret)
{
    if (balancer->fixed)
        return choose_fixed(balancer->fixed, now_ns, ret);
    pthread_mutex_lock(&balancer->lock);
    struct balancer_member *member = choose(balancer, now_ns, may_repeat, failed);
    bool chosen = member && choose_fixed(member, now_ns, ret);
    if (chosen) {
        member->references++;
        member->outstanding++;
    }
    pthread_mutex_unlock(&balancer->lock);
    return chosen;
}

/* A quarter of the average is what was measured now. */
static void measure(struct balancer_member *member, int64_t took_us, int64_t now_ns)
{
    member->latency_us = member->measured_ns ? (faded_us(member, now_ns) * 3 + took_us) / 4 : took_us;
    member->measured_ns = now_ns;
}

void balancer_report(struct balancer *balancer, const struct balancer_choice *choice, enum breaker_outcome outcome,
                     int64_t now_ns)
{
    struct balancer_member *member = choice->member;
    breaker_report(&member->breaker, choice->pass, outcome, now_ns);
    if (balancer->fixed)
        return;
    pthread_mutex_lock(&balancer->lock);
    member->outstanding--;
    if (outcome == BREAKER_SUCCESS)
        measure(member, (now_ns - choice->begun_ns) / (NS_PER_S / US_PER_S), now_ns);
    member_unref(member);
    pthread_mutex_unlock(&balancer->lock);
}

bool balancer_has_other(struct balancer *balancer, const struct balancer_member *member, int64_t now_ns)
{
    bool has = false;
    if (balancer->fixed)
        return false;
    pthread_mutex_lock(&balancer->lock);
    for (size_t i = 0; i < balancer->count && !has; i++)
        has = balancer->members[i] != member && breaker_wait_ns(&balancer->members[i]->breaker, now_ns) == 0;
    pthread_mutex_unlock(&balancer->lock);
    return has;
}

bool balancer_is_empty(struct balancer *balancer)
{
    pthread_mutex_lock(&balancer->lock);
    bool is_empty = !balancer->fixed && balancer->count == 0;
    pthread_mutex_unlock(&balancer->lock);
    return is_empty;
}

int64_t balancer_wait_ns(struct balancer *balancer, int64_t now_ns)
{
    if (balancer->fixed)
        return breaker_wait_ns(&balancer->fixed->breaker, now_ns);
    pthread_mutex_lock(&balancer->lock);
    int64_t least_ns = balancer->count > 0 ? INT64_MAX : NOBODY_WAIT_MS * NS_PER_MS;
    for (size_t i = 0; i < balancer->count && least_ns > 0; i++) {
        int64_t wait_ns = breaker_wait_ns(&balancer->members[i]->breaker, now_ns);
        least_ns = wait_ns < least_ns ? wait_ns : least_ns;
    }
    pthread_mutex_unlock(&balancer->lock);
    return least_ns;
}

enum breaker_state balancer_state(struct balancer *balancer)
{
    if (balancer->fixed)
        return breaker_state(&balancer->fixed->breaker);
    enum breaker_state best = BREAKER_OPEN;
    pthread_mutex_lock(&balancer->lock);
    for (size_t i = 0; i < balancer->count && best != BREAKER_CLOSED; i++) {
        enum breaker_state state = breaker_state(&balancer->members[i]->breaker);
        best = state < best ? state : best;
    }
    pthread_mutex_unlock(&balancer->lock);
    return best;
}

void balancer_count(struct balancer *balancer, unsigned counts[static BREAKER_STATES])
{
    if (balancer->fixed) {
        counts[breaker_state(&balancer->fixed->breaker)]++;
        return;
    }
    pthread_mutex_lock(&balancer->lock);
    for (size_t i = 0; i < balancer->count; i++)
        counts[breaker_state(&balancer->members[i]->breaker)]++;
    pthread_mutex_unlock(&balancer->lock);
}

size_t balancer_view(struct balancer *balancer, int64_t now_ns, struct balancer_view *ret_views, size_t max)
{
    pthread_mutex_lock(&balancer->lock);
    size_t count = balancer->count < max ? balancer->count : max;
    bool preferred = zone_is_preferred(balancer);
    for (size_t i = 0; i < count; i++) {
        struct balancer_member *member = balancer->members[i];
        ret_views[i] = (struct balancer_view){
            .instance = member->instance,
            .state = breaker_state(&member->breaker),
            .wait_ns = breaker_wait_ns(&member->breaker, now_ns),
            .failures = breaker_failures(&member->breaker),
            .outstanding = member->outstanding,
            .share_percent = share_percent(balancer, member, now_ns),
            .latency_us = member->latency_us,
            .is_preferred = preferred && strcmp(member->instance.zone, balancer->zone) == 0,
        };
    }
    pthread_mutex_unlock(&balancer->lock);
    return count;
}
