#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "check/harness/suite.h"

struct address {
    struct text city;
    int64_t floor;
};

struct line {
    struct text sku;
    int64_t quantity;
    struct json_array notes;
};

struct note {
    struct text text;
};

struct order {
    struct text name;
    int64_t count;
    int64_t any;
    bool urgent;
    struct address address;
    struct json_array lines;
};

static bool is_lower(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] < 'a' || text.at[i] > 'z')
            return false;
    return true;
}

static const struct json_field address_fields[] = {
    {.name = "city", .type = JSON_TEXT, .required = true, .min = 1, .offset = offsetof(struct address, city)},
    {.name = "floor", .type = JSON_INTEGER, .min = INT64_MIN, .max = 99, .offset = offsetof(struct address, floor)},
    {.name = NULL},
};

static const struct json_field note_fields[] = {
    {.name = "text/~", .type = JSON_TEXT, .required = true, .max = 3, .offset = offsetof(struct note, text)},
    {.name = NULL},
};

static const struct json_field line_fields[] = {
    {.name = "sku", .type = JSON_TEXT, .required = true, .min = 2, .max = 4, .offset = offsetof(struct line, sku)},
    {.name = "quantity",
     .type = JSON_INTEGER,
     .required = true,
     .min = 1,
     .max = 1000,
     .offset = offsetof(struct line, quantity)},
    {.name = "notes",
     .type = JSON_ARRAY,
     .fields = note_fields,
     .element_size = sizeof(struct note),
     .offset = offsetof(struct line, notes)},
    {.name = NULL},
};

static const struct json_field order_fields[] = {
    {.name = "name",
     .type = JSON_TEXT,
     .min = 3,
     .max = 3,
     .accepts = is_lower,
     .rule = "must be lower case",
     .offset = offsetof(struct order, name)},
    {.name = "count", .type = JSON_INTEGER, .min = 5, .max = INT64_MAX, .offset = offsetof(struct order, count)},
    {.name = "any", .type = JSON_INTEGER, .offset = offsetof(struct order, any)},
    {.name = "urgent", .type = JSON_BOOLEAN, .offset = offsetof(struct order, urgent)},
    {.name = "address", .type = JSON_OBJECT, .fields = address_fields, .offset = offsetof(struct order, address)},
    {.name = "lines",
     .type = JSON_ARRAY,
     .required = true,
     .min = 1,
     .max = 50,
     .fields = line_fields,
     .element_size = sizeof(struct line),
     .offset = offsetof(struct order, lines)},
    {.name = NULL},
};

struct reading {
    struct arena arena;
    struct json_faults faults;
    struct order order;
    enum err err;
};

static void read_with(struct reading *reading, const char *json, bool lenient)
{
    struct json_document *document = NULL;

    reading->faults.count = 77;
    CU_ASSERT_EQUAL_FATAL(json_parse(text_of(json), &document), ERR_NONE);
    reading->err = (lenient ? json_read_lenient : json_read)(document, order_fields, &reading->arena, &reading->order,
                                                             &reading->faults);
    json_free(document);
}

static void reading_init(struct reading *reading, const char *json)
{
    *reading = (struct reading){.order = {.name = TEXT("default"), .count = -1, .any = -2, .urgent = true}};
    arena_init(&reading->arena, 1 << 20);
    read_with(reading, json, false);
}

static void reading_fini(struct reading *reading)
{
    arena_fini(&reading->arena);
}

static void test_everything(void)
{
    struct reading reading;

    reading_init(&reading, "{\"name\":\"abc\",\"count\":5,\"any\":-9223372036854775808,\"urgent\":false,"
                           "\"address\":{\"city\":\"K\xc3\xb6ln\",\"floor\":-3},"
                           "\"lines\":[{\"sku\":\"a-1\",\"quantity\":1000,"
                           "\"notes\":[{\"text/~\":\"x\"},{\"text/~\":\"\"}]},"
                           "{\"sku\":\"b2\",\"quantity\":1}]}");
    CU_ASSERT_EQUAL_FATAL(reading.err, ERR_NONE);
    CU_ASSERT_EQUAL(reading.faults.count, 0);
    const struct order *order = &reading.order;
    CU_ASSERT(text_equal(order->name, TEXT("abc")));
    CU_ASSERT_EQUAL(order->count, 5);
    CU_ASSERT_EQUAL(order->any, INT64_MIN);
    CU_ASSERT_FALSE(order->urgent);
    CU_ASSERT(text_equal(order->address.city, TEXT("K\xc3\xb6ln")));
    CU_ASSERT_EQUAL(order->address.floor, -3);
    CU_ASSERT_EQUAL_FATAL(order->lines.count, 2);
    const struct line *lines = order->lines.elements;
    CU_ASSERT(text_equal(lines[0].sku, TEXT("a-1")));
    CU_ASSERT_EQUAL(lines[0].quantity, 1000);
    CU_ASSERT_EQUAL_FATAL(lines[0].notes.count, 2);
    const struct note *notes = lines[0].notes.elements;
    CU_ASSERT(text_equal(notes[0].text, TEXT("x")));
    CU_ASSERT(text_equal(notes[1].text, TEXT("")));
    CU_ASSERT(text_equal(lines[1].sku, TEXT("b2")));
    CU_ASSERT_PTR_NULL(lines[1].notes.elements);
    CU_ASSERT_EQUAL(lines[1].notes.count, 0);
    reading_fini(&reading);
}

static void test_absent(void)
{
    struct reading reading;

    reading_init(&reading, "{\"any\":null,\"address\":null,\"lines\":[{\"sku\":\"ab\",\"quantity\":1}]}");
    CU_ASSERT_EQUAL(reading.err, ERR_NONE);
    CU_ASSERT(text_equal(reading.order.name, TEXT("default")));
    CU_ASSERT_EQUAL(reading.order.count, -1);
    CU_ASSERT_EQUAL(reading.order.any, -2);
    CU_ASSERT(reading.order.urgent);
    CU_ASSERT_PTR_NULL(reading.order.address.city.at);
    reading_fini(&reading);
}

/* Each document has one fault: this pointer, this reason. */
static void test_single_faults(void)
{
    static const struct {
        const char *json;
        const char *pointer;
        const char *reason;
    } rows[] = {
        {"[]", "", "must be an object"},
        {"null", "", "must be an object"},
        {"1", "", "must be an object"},
        {"{}", "/lines", "is required"},
        {"{\"lines\":null}", "/lines", "is required"},
        {"{\"lines\":{}}", "/lines", "must be an array"},
        {"{\"lines\":[]}", "/lines", "must have 1 to 50 elements"},
        {"{\"lines\":[1]}", "/lines/0", "must be an object"},
        {"{\"lines\":[null]}", "/lines/0", "must be an object"},
        {"{\"lines\":[{\"quantity\":1}]}", "/lines/0/sku", "is required"},
        {"{\"lines\":[{\"sku\":\"a\",\"quantity\":1}]}", "/lines/0/sku", "must have 2 to 4 characters"},
        {"{\"lines\":[{\"sku\":\"abcde\",\"quantity\":1}]}", "/lines/0/sku", "must have 2 to 4 characters"},
        {"{\"lines\":[{\"sku\":12,\"quantity\":1}]}", "/lines/0/sku", "must be a string"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":0}]}", "/lines/0/quantity", "must be from 1 to 1000"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1001}]}", "/lines/0/quantity", "must be from 1 to 1000"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1.5}]}", "/lines/0/quantity", "must be an integer"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1.0}]}", "/lines/0/quantity", "must be an integer"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1e2}]}", "/lines/0/quantity", "must be an integer"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":\"1\"}]}", "/lines/0/quantity", "must be an integer"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":true}]}", "/lines/0/quantity", "must be an integer"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1,\"notes\":[{}]}]}", "/lines/0/notes/0/text~1~0", "is required"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1,\"notes\":[{\"text/~\":\"abcd\"}]}]}", "/lines/0/notes/0/text~1~0",
         "must have at most 3 characters"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1,\"x/y~\":1}]}", "/lines/0/x~1y~0", "is not known here"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"\":1}", "/", "is not known here"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"x\":null}", "/x", "is not known here"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"name\":\"ab\"}", "/name", "must have exactly 3 characters"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"name\":\"aBc\"}", "/name", "must be lower case"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"count\":4}", "/count", "must be at least 5"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"urgent\":1}", "/urgent", "must be true or false"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"urgent\":\"true\"}", "/urgent", "must be true or false"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"address\":[]}", "/address", "must be an object"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"address\":{}}", "/address/city", "is required"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"address\":{\"city\":\"\"}}", "/address/city",
         "must have at least 1 character"},
        {"{\"lines\":[{\"sku\":\"ab\",\"quantity\":1}],\"address\":{\"city\":\"x\",\"floor\":100}}", "/address/floor",
         "must be at most 99"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        reading_init(&reading, rows[i].json);
        CU_ASSERT_EQUAL(reading.err, ERR_INVALID);
        CU_ASSERT_EQUAL_FATAL(reading.faults.count, 1);
        const struct json_fault *fault = &reading.faults.list[0];
        if (!text_equal_string(fault->pointer, rows[i].pointer) || strcmp(fault->reason, rows[i].reason) != 0) {
            char line[300];
            snprintf(line, sizeof line, "%s: %.*s %s", rows[i].json, TEXT_ARGS(fault->pointer), fault->reason);
            CU_assertImplementation(CU_FALSE, __LINE__, line, __FILE__, "", CU_FALSE);
        }
        reading_fini(&reading);
    }
}

static void test_code_points(void)
{
    struct reading reading;

    /* Four code points in nine bytes. */
    reading_init(&reading, "{\"lines\":[{\"sku\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\",\"quantity\":1}]}");
    CU_ASSERT_EQUAL(reading.err, ERR_NONE);
    reading_fini(&reading);
}

static void test_all_at_once(void)
{
    static const char *const pointers[] = {"/name",        "/urgent",           "/address/city", "/lines/0/quantity",
                                           "/lines/1/sku", "/lines/1/quantity", "/lines/1/more", "/extra"};
    struct reading reading;

    reading_init(&reading, "{\"extra\":1,\"name\":7,\"urgent\":0,\"address\":{\"city\":null},"
                           "\"lines\":[{\"sku\":\"ab\"},{\"more\":1,\"sku\":\"\",\"quantity\":-1}]}");
    CU_ASSERT_EQUAL(reading.err, ERR_INVALID);
    CU_ASSERT_EQUAL_FATAL(reading.faults.count, sizeof pointers / sizeof pointers[0]);
    for (size_t i = 0; i < reading.faults.count; i++)
        CU_ASSERT(text_equal_string(reading.faults.list[i].pointer, pointers[i]));
    reading_fini(&reading);
}

/* {"lines":[{},{},…]} */
static const char *empty_lines(size_t count)
{
    static char json[4096];
    int length = snprintf(json, sizeof json, "{\"lines\":[");
    for (size_t i = 0; i < count; i++)
        length += snprintf(json + length, sizeof json - (size_t)length, i ? ",{}" : "{}");
    snprintf(json + length, sizeof json - (size_t)length, "]}");
    return json;
}

static void test_fault_ceiling(void)
{
    struct reading reading;

    reading_init(&reading, empty_lines(50));
    CU_ASSERT_EQUAL(reading.err, ERR_INVALID);
    CU_ASSERT_EQUAL(reading.faults.count, JSON_MAX_FAULTS);
    json_fault_add(&reading.faults, TEXT("/x"), "is one more");
    CU_ASSERT_EQUAL(reading.faults.count, JSON_MAX_FAULTS);
    reading_fini(&reading);
}

static void test_added_fault(void)
{
    struct json_faults faults = {.count = 0};

    json_fault_add(&faults, TEXT("/email"), "is taken");
    CU_ASSERT_EQUAL_FATAL(faults.count, 1);
    CU_ASSERT(text_equal(faults.list[0].pointer, TEXT("/email")));
    CU_ASSERT_STRING_EQUAL(faults.list[0].reason, "is taken");
}

static void test_lenient(void)
{
    struct reading reading;

    reading_init(&reading, "{}");
    read_with(&reading, "{\"new\":1,\"lines\":[{\"sku\":\"ab\",\"quantity\":2,\"newer\":[]}]}", true);
    CU_ASSERT_EQUAL(reading.err, ERR_NONE);
    CU_ASSERT_EQUAL(reading.order.lines.count, 1);
    read_with(&reading, "{\"new\":1,\"lines\":[{\"sku\":\"ab\",\"quantity\":0}]}", true);
    CU_ASSERT_EQUAL(reading.err, ERR_INVALID);
    CU_ASSERT_EQUAL(reading.faults.count, 1);
    reading_fini(&reading);
}

/* Too long an array is one fault, and takes no memory for its elements. */
static void test_array_ceiling(void)
{
    struct reading reading;

    reading_init(&reading, empty_lines(51));
    CU_ASSERT_EQUAL(reading.faults.count, 1);
    CU_ASSERT(reading.arena.total_bytes <= 4096);
    CU_ASSERT_PTR_NULL(reading.order.lines.elements);
    reading_fini(&reading);
}

/* With every ceiling of the arena: the right answer or ERR_MEMORY, and enough in the end. */
static void test_memory(void)
{
    static const char *const documents[] = {
        "{\"name\":\"abc\",\"lines\":[{\"sku\":\"a-1\",\"quantity\":1,\"notes\":[{\"text/~\":\"x\"}]}]}",
        "{\"name\":\"ABC\",\"count\":1,\"lines\":[{\"sku\":\"a-1\",\"quantity\":1,\"notes\":[{\"text/~\":\"1234\"}]}]}",
    };
    static const enum err expected[] = {ERR_NONE, ERR_INVALID};

    for (int i = 0; i < 2; i++) {
        bool done = false;
        for (size_t max = 0; max < 2000; max += 8) {
            struct reading reading = {.err = ERR_NONE};
            arena_init(&reading.arena, max);
            read_with(&reading, documents[i], false);
            CU_ASSERT(reading.err == expected[i] || (!done && reading.err == ERR_MEMORY));
            done = done || reading.err == expected[i];
            reading_fini(&reading);
        }
        CU_ASSERT(done);
    }
}

static const struct suite_case cases[] = {
    {"every type is read into its member", test_everything},
    {"what is absent or null leaves the default", test_absent},
    {"every fault has its pointer and its reason", test_single_faults},
    {"lengths count code points", test_code_points},
    {"all faults are told at once, in the table's order", test_all_at_once},
    {"faults have a ceiling", test_fault_ceiling},
    {"a caller adds faults of its own rules", test_added_fault},
    {"the lenient reader passes over what is unknown, and nothing else", test_lenient},
    {"an array over its limit is refused before it is read", test_array_ceiling},
    {"with little memory the answer is right or that memory is short", test_memory},
};

int main(void)
{
    return suite_main("json_read", cases, sizeof cases / sizeof cases[0]);
}
