#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/bench/load.h"
#include "check/harness/process.h"

enum { PATH_SIZE = 256, REPORT_SIZE = 8192 };

static double number_after(const char *report, const char *words)
{
    const char *at = strstr(report, words);
    return at ? strtod(at + strlen(words), NULL) : 0;
}

/* "12345 requests in 3.00s": the number stands before its words. */
static long requests_of(const char *report)
{
    const char *at = strstr(report, " requests in ");
    if (!at)
        return 0;
    while (at > report && at[-1] >= '0' && at[-1] <= '9')
        at--;
    return strtol(at, NULL, 10);
}

static long failures_of(const char *report)
{
    static const char *const words[] = {"Non-2xx or 3xx responses:", "connect", "read", "write", "timeout"};
    const char *errors = strstr(report, "Socket errors:");
    long failed = (long)number_after(report, words[0]);
    for (size_t i = 1; errors && i < sizeof words / sizeof words[0]; i++)
        failed += (long)number_after(errors, words[i]);
    return failed;
}

enum err load_run(const char *url, const char *token, unsigned seconds, const char *folder, struct load_result *ret)
{
    char log[PATH_SIZE], connections[8], duration[16], header[PATH_SIZE], report[REPORT_SIZE];
    snprintf(log, sizeof log, "%s/wrk.log", folder);
    snprintf(connections, sizeof connections, "%d", LOAD_CONNECTIONS);
    snprintf(duration, sizeof duration, "%us", seconds);
    unlink(log);
    snprintf(header, sizeof header, "Authorization: Bearer %s", token ? token : "");
    const char *const wrk[] = {"wrk", "-t", "2", "-c", connections, "-d", duration, url, token ? "-H" : NULL, header,
                               NULL};
    enum err err = process_run(wrk, log);
    if (err)
        return err;
    FILE *stream = fopen(log, "re");
    size_t length = stream ? fread(report, 1, sizeof report - 1, stream) : 0;
    if (stream)
        fclose(stream);
    report[length] = '\0';
    struct load_result result = {
        .requests_per_s = number_after(report, "Requests/sec:"),
        .requests = requests_of(report),
        .failed = failures_of(report),
    };
    if (result.requests == 0)
        return err_because(ERR_INTERNAL, "wrk got no answer from %s: %s", url, report);
    *ret = result;
    return ERR_NONE;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

unsigned load_setting(const char *name, unsigned otherwise, unsigned most)
{
    const char *given = getenv(name);
    unsigned long value = given ? strtoul(given, NULL, 10) : 0;
    return value == 0 ? otherwise : value > most ? most : (unsigned)value;
}

double load_median_ratio(const double *above, const double *below, size_t count)
{
    double ratios[LOAD_ROUNDS_MAX];
    for (size_t i = 0; i < count; i++)
        ratios[i] = above[i] / below[i];
    return load_median(ratios, count);
}

double load_median(double *values, size_t count)
{
    qsort(values, count, sizeof values[0], compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
