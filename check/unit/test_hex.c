/* Hexadecimal digits, at each place of a group and beyond it. */
#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "check/harness/suite.h"

enum { COUNT = 19, BYTES = 256 };

static void test_there_and_back(void)
{
    for (size_t at = 0; at < COUNT; at++)
        for (unsigned value = 0; value < BYTES; value++) {
            unsigned char bytes[COUNT] = {1, 2, 0xfe, 0xdc, 0, 0x9a, 0xaf, 0x09, 0x90, 0x7f};
            unsigned char got[COUNT + 1] = {[COUNT] = 0x55};
            char digits[2 * COUNT + 1], expected[3];
            bytes[at] = (unsigned char)value;
            *hex_write(bytes, COUNT, digits) = '\0';
            snprintf(expected, sizeof expected, "%02x", value);
            CU_ASSERT(strlen(digits) == sizeof digits - 1 && memcmp(digits + 2 * at, expected, 2) == 0);
            CU_ASSERT(hex_read_lower(digits, COUNT, got) && memcmp(got, bytes, COUNT) == 0 && got[COUNT] == 0x55);
        }
}

static void test_no_digits(void)
{
    for (size_t at = 0; at < (size_t)2 * COUNT; at++)
        for (unsigned value = 0; value < BYTES; value++) {
            char digits[2 * COUNT + 1] = "0189afabcdef000123456789abcdef9a0f90ff";
            unsigned char got[COUNT];
            digits[at] = (char)value;
            bool is_digit = value != 0 && strchr("0123456789abcdef", (int)value);
            CU_ASSERT_EQUAL(hex_read_lower(digits, COUNT, got), is_digit);
        }
    CU_ASSERT_TRUE(hex_read_lower("", 0, NULL));
}

static void test_digit(void)
{
    CU_ASSERT(hex_digit('0') == 0 && hex_digit('9') == 9 && hex_digit('a') == 10 && hex_digit('F') == 15);
    CU_ASSERT(hex_digit('g') == -1 && hex_digit('/') == -1 && hex_digit(':') == -1 && hex_digit('@') == -1);
}

static const struct suite_case cases[] = {
    {"what is written is read again", test_there_and_back},
    {"whatever is no digit of lower case is refused, wherever it stands", test_no_digits},
    {"one digit is read in either case", test_digit},
};

int main(void)
{
    return suite_main("hex", cases, sizeof cases / sizeof cases[0]);
}
