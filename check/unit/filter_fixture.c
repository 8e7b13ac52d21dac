#include "config.h"

#include "base/clock.h"
#include "check/harness/suite.h"
#include "check/unit/filter_fixture.h"

struct fixture fixture;

static void want(void *context)
{
    (void)context;
    atomic_fetch_add(&fixture.wanted, 1);
}

struct filter *fixture_open(const char *path, unsigned keys_max)
{
    struct filter *opened = NULL;
    const struct filter_opts opts = {.name = "test", .path = path, .keys_max = keys_max, .want = want};
    CU_ASSERT_EQUAL_FATAL(filter_open(&opts, &opened), ERR_NONE);
    return opened;
}

void fixture_begin(unsigned keys_max, unsigned things)
{
    atomic_store(&fixture.wanted, 0);
    fixture.filter = fixture_open(NULL, keys_max);
    filter_source_init(&fixture.source, things);
}

void fixture_end(void)
{
    filter_close(fixture.filter);
    filter_source_fini(&fixture.source);
}

enum filter_outcome fixture_refresh(struct filter *filter, int64_t absent_ns, int64_t rebuild_ns)
{
    const struct filter_refresh refresh = {
        .list = filter_source_list, .context = &fixture.source, .absent_ns = absent_ns, .rebuild_ns = rebuild_ns};
    enum filter_outcome outcome = FILTER_OUTCOMES;
    CU_ASSERT_EQUAL(filter_refresh(filter, &refresh, &outcome), ERR_NONE);
    return outcome;
}

bool fixture_lacks_in(struct filter *filter, unsigned number)
{
    char storage[FILTER_SOURCE_KEY_SIZE];
    return filter_lacks(filter, filter_source_key(storage, number), FIXTURE_ABSENT_NS, clock_now_ns());
}

bool fixture_lacks(unsigned number)
{
    return fixture_lacks_in(fixture.filter, number);
}

void fixture_add(struct filter *filter, unsigned number)
{
    char storage[FILTER_SOURCE_KEY_SIZE];
    filter_add(filter, filter_source_key(storage, number));
}

void fixture_make(unsigned number)
{
    filter_source_add(&fixture.source, clock_wall_us(), number);
    fixture_add(fixture.filter, number);
}
