/* traceparent: what is well formed, and what is not taken. */
#include "config.h"

#include "check/harness/suite.h"
#include "telemetry/trace.h"

static void test_well_formed(void)
{
    struct text given = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    CU_ASSERT_TRUE(traceparent_is_valid(given));
    CU_ASSERT_TRUE(text_equal_string(traceparent_trace_id(given), "0af7651916cd43dd8448eb211c80319c"));
    CU_ASSERT_TRUE(traceparent_is_valid(TEXT("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")));
}

static void test_malformed(void)
{
    static const struct text given[] = {
        TEXT(""),
        TEXT("00"),
        TEXT("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        TEXT("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        TEXT("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333z-01"),
        TEXT("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-"),
        TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"),
        TEXT("00-0af7651916cd43dd8448eb211c8031 c-b7ad6b7169203331-01"),
    };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        CU_ASSERT_FALSE(traceparent_is_valid(given[i]));
        CU_ASSERT_PTR_NULL(traceparent_trace_id(given[i]).at);
    }
    CU_ASSERT_FALSE(traceparent_is_valid(TEXT_NONE));
}

static const struct suite_case cases[] = {
    {"a well-formed traceparent gives its trace id", test_well_formed},
    {"what is not well formed gives none", test_malformed},
};

int main(void)
{
    return suite_main("trace", cases, sizeof cases / sizeof cases[0]);
}
