/*
 * Load for the benchmarks: wrk against an address.
 */
#ifndef TANDEM_CHECK_BENCH_LOAD_H
#define TANDEM_CHECK_BENCH_LOAD_H

#include <stddef.h>

#include "base/err.h"

enum { LOAD_CONNECTIONS = 64 };

struct load_result {
    double requests_per_s;
    long requests, failed;      /* failed: without a 2xx or 3xx answer */
};

/** Runs wrk with LOAD_CONNECTIONS kept connections for seconds. ERR_INTERNAL with a cause when it cannot. */
enum err must_check load_run(const char *url, unsigned seconds, const char *folder, struct load_result *ret);

/** The middle one of count values, which are put in order. */
double load_median(double *values, size_t count);

#endif
