#include "config.h"

#include <stdio.h>
#include <string.h>

#include "apps/order/card_number.h"
#include "apps/order/place.h"
#include "check/unit/engines.h"
#include "check/unit/order_fixture.h"

#define LINE(sku, quantity) "{\"sku\":\"" sku "\",\"quantity\":" quantity "}"

#define METHOD_RULE "must be the payment gateway's token, printable ASCII without spaces, and never a card number"

static const struct place_limits limits = {.lines_max = 4, .quantity_max = 100};

static struct arena arena;
static struct json_faults faults;
static struct order order;
static char said[1024];            /* "pointer reason; …" */

static const char *say_faults(enum err err)
{
    size_t length = 0;
    snprintf(said, sizeof said, "%s", err ? err_name(err) : "");
    length = strlen(said);
    for (size_t i = 0; err && i < faults.count && length < sizeof said; i++)
        length += (size_t)snprintf(said + length, sizeof said - length, "; %.*s %s",
                                   TEXT_ARGS(faults.list[i].pointer), faults.list[i].reason);
    return said;
}

/* A body through all the rules there are; what is wrong with it. */
static const char *place(const char *body)
{
    struct json_document *document;
    struct place_input input = {.payment_method = SECRET_NONE};
    struct db_connection *reader;
    arena_fini(&arena);
    faults.count = 0;
    CU_ASSERT_EQUAL_FATAL(json_parse(text_of(body), &document), ERR_NONE);
    enum err err = json_read(document, place_fields, &arena, &input, &faults);
    json_free(document);
    if (!err)
        err = place_check(&input, &limits, &arena, &faults);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(fixture.db, &reader), ERR_NONE);
    if (!err)
        err = place_price(reader, &input, &arena, &faults, &order);
    db_reader_close(reader);
    return say_faults(err);
}

static void begin(void)
{
    fixture_begin();
    arena_init(&arena, 1024 * 1024);
}

static void end(void)
{
    arena_fini(&arena);
    fixture_end();
}

static void test_prices(void)
{
    begin();
    CU_ASSERT_STRING_EQUAL(place("{\"lines\":[" LINE("tea", "2") "," LINE("cup", "100") "]}"), "");
    CU_ASSERT_EQUAL(order.line_count, 2);
    CU_ASSERT_EQUAL(order.lines[0].total.amount_minor, 2500);
    CU_ASSERT_EQUAL(order.lines[1].total.amount_minor, 39900);
    CU_ASSERT_EQUAL(order.total.amount_minor, 42400);
    CU_ASSERT_STRING_EQUAL(order.total.currency->code, "EUR");
    CU_ASSERT_TRUE(text_equal_string(order.lines[1].name, "A cup"));
    CU_ASSERT_STRING_EQUAL(place("{\"lines\":[" LINE("gift", "1") "]}"), "");
    CU_ASSERT_EQUAL(order.total.amount_minor, 0);
    end();
}

static void test_faults(void)
{
    static const struct {
        const char *body, *said;
    } bodies[] = {
        {"{}", "ERR_INVALID; /lines is required"},
        {"{\"lines\":[]}", "ERR_INVALID; /lines must have at least 1 element"},
        {"{\"lines\":[" LINE("tea", "0") "]}", "ERR_INVALID; /lines/0/quantity must be at least 1"},
        {"{\"lines\":[" LINE("tea", "9223372036854775807") "]}",
         "ERR_INVALID; /lines/0/quantity must be from 1 to 100"},
        {"{\"lines\":[" LINE("tea", "101") "]}", "ERR_INVALID; /lines/0/quantity must be from 1 to 100"},
        {"{\"lines\":[" LINE("tea", "1.5") "]}", "ERR_INVALID; /lines/0/quantity must be an integer"},
        {"{\"lines\":[" LINE("", "1") "]}", "ERR_INVALID; /lines/0/sku must have 1 to 64 characters"},
        {"{\"lines\":[{\"sku\":\"tea\"}]}", "ERR_INVALID; /lines/0/quantity is required"},
        {"{\"lines\":[" LINE("tea", "1") "],\"payment_method\":\"a b\"}",
         "ERR_INVALID; /payment_method " METHOD_RULE},
        {"{\"lines\":[" LINE("tea", "1") "],\"payment_method\":\"4242424242424242\"}",
         "ERR_INVALID; /payment_method " METHOD_RULE},
        {"{\"lines\":[" LINE("tea", "1") "],\"payment_method\":\"4242 4242 4242 4242\"}",
         "ERR_INVALID; /payment_method " METHOD_RULE},
        {"{\"lines\":[" LINE("tea", "1") "," LINE("cup", "1") "," LINE("tea", "1") "]}",
         "ERR_INVALID; /lines/2/sku is on another line already"},
        {"{\"lines\":[" LINE("tea", "1") "," LINE("pan", "1") "," LINE("pot", "1") "]}",
         "ERR_INVALID; /lines/1/sku unknown item; /lines/2/sku unknown item"},
        {"{\"lines\":[" LINE("tea", "1") "," LINE("fan", "1") "]}",
         "ERR_INVALID; /lines/1/sku is priced in another currency than the lines before"},
        {"{\"lines\":[" LINE("moon", "2") "]}", "ERR_INVALID; /lines/0/quantity makes the total too large"},
        {"{\"lines\":[" LINE("a", "1") "," LINE("b", "1") "," LINE("c", "1") ","
         LINE("d", "1") "," LINE("e", "1") "]}",
         "ERR_INVALID; /lines must have 1 to 4 elements"},
    };
    begin();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        CU_ASSERT_STRING_EQUAL(place(bodies[i].body), bodies[i].said);
    end();
}

static void test_card_numbers(void)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        {"4242424242424242", true},         {"4242-4242-4242-4242", true},   {"4242 4242 4242 4242", true},
        {"4242.4242.4242.4242", true},      {"378282246310005", true},       {"30569309025904", true},
        {"4222222222222", true},            {"6304000000000000000", true},   {" 4000056655665556 ", true},
        {"pm_4242424242424242", true},      {"card:5555555555554444;", true}, {"4242424242424242pm", true},
        {"1111111111111117", false},        {"0190a000-0000-7000-8000-000000000001", false},
        {"42424242424242424242", true},     {"424242424242", false},         {"", false},
        {"4242424242424242123", true},      {"42424242424242421228", true},  {"4242-4242-4242-4242-1228", true},
        {"pm_4242-4242-4242-4242", true},   {"visa:4242|4242|4242|4242", true}, {"000004242424242424242", true},
        {"4242%204242%204242%204242", true}, {"4242, 4242 (4242) 4242", true}, {"0000000000000000", false},
        {"pm_card_visa", false},            {"pm_1Nv0eGLkdIwHu7ixsdE0JxTx", false}, {"sandbox_timeout_once", false},
        {"tok-4242-4242-4242-4242", true},  {"- - -", false},           {"4242a4242b4242c4242", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_EQUAL(has_card_number(text_of(rows[i].text)), rows[i].is);
}

static const struct suite_case cases[] = {
    {"a card number is told from a token", test_card_numbers},
    {"lines and total are priced from the known items", test_prices},
    {"every rule that is broken is said, with where", test_faults},
};

int main(void)
{
    return engines_main("order_place", cases, sizeof cases / sizeof cases[0]);
}
