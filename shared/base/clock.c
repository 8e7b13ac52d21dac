#include "config.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/decimal.h"

#define US_PER_DAY (86400 * US_PER_S)

/* The first microsecond of the year 0000 and the last of the year 9999. */
#define FIRST_WALL_US (-62167219200 * US_PER_S)
#define LAST_WALL_US  (253402300800 * US_PER_S - 1)

enum { OFFSET_TRIES = 4 };

struct civil {
    int64_t year;
    int64_t month;
    int64_t day;
};

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);

    assert(!failed);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_coarse_us(void)
{
    return read_clock(CLOCK_REALTIME_COARSE) / 1000;
}

/* Of the try in which the two were read closest to each other. */
int64_t clock_wall_offset_ns(void)
{
    int64_t offset = 0, best = INT64_MAX;

    for (int i = 0; i < OFFSET_TRIES; i++) {
        int64_t before = clock_now_ns(), wall = read_clock(CLOCK_REALTIME), after = clock_now_ns();
        if (after - before >= best)
            continue;
        best = after - before;
        offset = wall - (before + best / 2);
    }
    return offset;
}

int64_t clock_wall_us_at(int64_t now_ns)
{
    static _Thread_local struct {
        int64_t offset_ns, until_ns;
    } latest;

    if (now_ns >= latest.until_ns) {
        latest.offset_ns = clock_wall_offset_ns();
        latest.until_ns = now_ns + CLOCK_OFFSET_KEPT_NS;
    }
    return (now_ns + latest.offset_ns) / 1000;
}

int64_t clock_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, for years from 0: Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms". Years start in March there, so that a leap day is a year's last. */
static int64_t days_of(struct civil date)
{
    int64_t year = date.year + 400 - (date.month <= 2);
    int64_t era = year / 400;
    int64_t year_of_era = year % 400;
    int64_t month = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (era - 1) * 146097 + day_of_era - 719468;
}

static struct civil civil_of(int64_t days)
{
    int64_t shifted = days + 719468 + 146097;
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    return (struct civil){
        .year = year_of_era + (era - 1) * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
}

static char *put_digits(char *at, int64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

/* The six digits that are new in each time that is logged. */
static char *put_micros(char *at, uint32_t value)
{
    at = decimal_pair(at, value / 10000);
    at = decimal_pair(at, value / 100 % 100);
    return decimal_pair(at, value % 100);
}

/* "2026-11-26T07:41:55", which is most of a time and the same for a whole second. */
enum { SECOND_LENGTH = 19 };

static void put_second(int64_t second, char at[static SECOND_LENGTH])
{
    int64_t of_day = (second % 86400 + 86400) % 86400;
    struct civil date = civil_of((second - of_day) / 86400);

    at = put_digits(at, date.year, 4);
    *at++ = '-';
    at = put_digits(at, date.month, 2);
    *at++ = '-';
    at = put_digits(at, date.day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    put_digits(at, of_day % 60, 2);
}

char *clock_rfc3339(int64_t wall_us, char out[static CLOCK_RFC3339_SIZE])
{
    static _Thread_local struct {
        int64_t second;
        char text[SECOND_LENGTH];
    } latest = {.second = INT64_MIN};

    /* A time that has no such form comes from damaged data at most; it shows as the nearest that has. */
    if (wall_us < FIRST_WALL_US || wall_us > LAST_WALL_US)
        wall_us = wall_us < 0 ? FIRST_WALL_US : LAST_WALL_US;
    int64_t of_second = (wall_us % US_PER_S + US_PER_S) % US_PER_S;
    int64_t second = (wall_us - of_second) / US_PER_S;
    if (second != latest.second) {
        put_second(second, latest.text);
        latest.second = second;
    }
    memcpy(out, latest.text, SECOND_LENGTH);
    out[SECOND_LENGTH] = '.';
    char *end = put_micros(out + SECOND_LENGTH + 1, (uint32_t)of_second);
    end[0] = 'Z';
    end[1] = '\0';
    return out;
}

/* ---- reading: each step takes what it needs off the front of text, or says no ---- */

static bool take_digits(struct text *text, size_t count, int64_t lowest, int64_t highest, int64_t *ret)
{
    int64_t value = 0;

    if (text->length < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (text->at[i] < '0' || text->at[i] > '9')
            return false;
        value = value * 10 + (text->at[i] - '0');
    }
    if (value < lowest || value > highest)
        return false;
    text->at += count;
    text->length -= count;
    *ret = value;
    return true;
}

static bool take_char(struct text *text, const char *one_of)
{
    for (; text->length > 0 && *one_of; one_of++) {
        if (text->at[0] == *one_of) {
            text->at++;
            text->length--;
            return true;
        }
    }
    return false;
}

static bool take_date(struct text *text, int64_t *ret_days)
{
    static const int days_in[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil date;

    if (!take_digits(text, 4, 0, 9999, &date.year) || !take_char(text, "-") ||
        !take_digits(text, 2, 1, 12, &date.month) || !take_char(text, "-") ||
        !take_digits(text, 2, 1, days_in[date.month - 1], &date.day))
        return false;
    bool leap = (date.year % 4 == 0 && date.year % 100 != 0) || date.year % 400 == 0;
    *ret_days = days_of(date);
    return date.month != 2 || date.day < 29 || leap;
}

/* One to nine decimals, as microseconds. */
static bool take_fraction(struct text *text, int64_t *ret_us)
{
    int64_t us = 0, digit;
    size_t count = 0;

    while (take_digits(text, 1, 0, 9, &digit)) {
        us = count < 6 ? us * 10 + digit : us;
        count++;
    }
    for (size_t i = count; i < 6; i++)
        us *= 10;
    *ret_us = us;
    return count >= 1 && count <= 9;
}

static bool take_offset(struct text *text, int64_t *ret_seconds)
{
    int64_t hour, minute;

    if (take_char(text, "Zz")) {
        *ret_seconds = 0;
        return true;
    }
    bool west = text->length > 0 && text->at[0] == '-';
    if (!take_char(text, "+-") || !take_digits(text, 2, 0, 23, &hour) || !take_char(text, ":") ||
        !take_digits(text, 2, 0, 59, &minute))
        return false;
    *ret_seconds = (hour * 3600 + minute * 60) * (west ? -1 : 1);
    return true;
}

enum err clock_parse_rfc3339(struct text text, int64_t *ret_wall_us)
{
    int64_t days, hour, minute, second, fraction_us = 0, offset;

    bool read = take_date(&text, &days) && take_char(&text, "Tt") && take_digits(&text, 2, 0, 23, &hour) &&
                take_char(&text, ":") && take_digits(&text, 2, 0, 59, &minute) && take_char(&text, ":") &&
                take_digits(&text, 2, 0, 60, &second) &&
                (!take_char(&text, ".") || take_fraction(&text, &fraction_us)) && take_offset(&text, &offset) &&
                text.length == 0;
    if (!read)
        return err_because(ERR_MALFORMED, "not a time as in RFC 3339");

    int64_t wall_s = days * 86400 + hour * 3600 + minute * 60 + second - offset;
    /* A leap second is the last of a day in UTC, and is taken for the next day's first, as POSIX does. */
    if (second == 60 && wall_s % 86400 != 0)
        return err_because(ERR_MALFORMED, "a leap second in the middle of a day");
    *ret_wall_us = wall_s * US_PER_S + fraction_us;
    return ERR_NONE;
}
