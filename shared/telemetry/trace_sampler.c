#include "config.h"

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "telemetry/trace_sampler.h"

enum { RATIO_BITS = 63, DECIMALS_MAX = 18, CACHE_LINE = 64 };

enum root_rule { ROOT_ON, ROOT_OFF, ROOT_RATIO };

static const struct {
    const char *name;
    bool asks_parent;
    enum root_rule rule;
} samplers[] = {
    [TRACE_ALWAYS_ON] = {"always_on", false, ROOT_ON},
    [TRACE_ALWAYS_OFF] = {"always_off", false, ROOT_OFF},
    [TRACE_RATIO] = {"traceidratio", false, ROOT_RATIO},
    [TRACE_PARENT_ALWAYS_ON] = {"parentbased_always_on", true, ROOT_ON},
    [TRACE_PARENT_ALWAYS_OFF] = {"parentbased_always_off", true, ROOT_OFF},
    [TRACE_PARENT_RATIO] = {"parentbased_traceidratio", true, ROOT_RATIO},
};

/* Each is read by itself: a reload in the middle of a decision is a decision by the old or the new ones. They are read
 * all the time and written hardly ever, and so share no cache line with what is. */
static struct {
    _Alignas(CACHE_LINE) atomic_bool enabled;
    atomic_int sampler;
    atomic_uint_fast64_t bound;                /* of the 63 bits; 1 << 63: all */
    atomic_llong slow_ns;
} current;

enum err trace_sampler_of(struct text name, enum trace_sampler *ret)
{
    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++) {
        if (text_equal_string(name, samplers[i].name)) {
            *ret = (enum trace_sampler)i;
            return ERR_NONE;
        }
    }
    return err_because(ERR_INVALID, "a sampler is one of %s", TRACE_SAMPLERS);
}

enum err trace_ratio_of(struct text text, double *ret)
{
    double value = 0, unit = 1;
    bool is_fraction = false;
    size_t digits = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '.' && !is_fraction) {
            is_fraction = true;
            continue;
        }
        if (c < '0' || c > '9' || ++digits > DECIMALS_MAX)
            return err_because(ERR_INVALID, "a ratio is a number from 0 to 1, such as 0.25");
        value = value * 10 + (c - '0');
        unit *= is_fraction ? 10 : 1;
    }
    if (digits == 0 || value > unit)
        return err_because(ERR_INVALID, "a ratio is a number from 0 to 1, such as 0.25");
    *ret = value / unit;
    return ERR_NONE;
}

void trace_sampling_set(const struct trace_sampling *sampling)
{
    double ratio = sampling->ratio > 0 ? sampling->ratio : 0;
    uint64_t all = UINT64_C(1) << RATIO_BITS;
    atomic_store_explicit(&current.bound, ratio < 1 ? (uint64_t)(ratio * (double)all) : all, memory_order_relaxed);
    atomic_store_explicit(&current.slow_ns, sampling->slow_ms * NS_PER_MS, memory_order_relaxed);
    atomic_store_explicit(&current.sampler, sampling->sampler, memory_order_relaxed);
    atomic_store_explicit(&current.enabled, sampling->enabled, memory_order_relaxed);
}

bool trace_is_enabled(void)
{
    return atomic_load_explicit(&current.enabled, memory_order_relaxed);
}

static bool is_within_ratio(const unsigned char *trace_id)
{
    uint64_t number;
    memcpy(&number, trace_id + TRACE_ID_BYTES - sizeof number, sizeof number);
    return be64toh(number) >> 1 < atomic_load_explicit(&current.bound, memory_order_relaxed);
}

bool trace_is_sampled(const unsigned char trace_id[static TRACE_ID_BYTES], const struct trace_context *parent)
{
    int sampler = atomic_load_explicit(&current.sampler, memory_order_relaxed);
    if (parent && samplers[sampler].asks_parent)
        return parent->flags & TRACE_SAMPLED;
    return samplers[sampler].rule == ROOT_ON || (samplers[sampler].rule == ROOT_RATIO && is_within_ratio(trace_id));
}

bool trace_is_slow(int64_t duration_ns)
{
    int64_t slow = atomic_load_explicit(&current.slow_ns, memory_order_relaxed);
    return slow > 0 && duration_ns > slow;
}
