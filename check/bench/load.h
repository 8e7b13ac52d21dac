/*
 * Load for the benchmarks: wrk against an address.
 */
#ifndef TANDEM_CHECK_BENCH_LOAD_H
#define TANDEM_CHECK_BENCH_LOAD_H

#include <stddef.h>

#include "base/err.h"

enum { LOAD_CONNECTIONS = 64, LOAD_ROUNDS_MAX = 100 };

struct load_result {
    double requests_per_s;
    long requests, failed;      /* failed: without a 2xx or 3xx answer */
};

/** Runs wrk with LOAD_CONNECTIONS kept connections for seconds; token is a bearer token, or NULL. ERR_INTERNAL with a
 *  cause when it cannot. */
enum err must_check load_run(const char *url, const char *token, unsigned seconds, const char *folder,
                             struct load_result *ret);

/** A whole number from the environment, at most this; 0 and nothing are `otherwise`. */
unsigned load_setting(const char *name, unsigned otherwise, unsigned most);

/** The middle one of count ratios of two rows, each of a pair of neighbouring rounds: what else the machine does is
 *  more alike in those than in the medians. */
double load_median_ratio(const double *above, const double *below, size_t count);

/** The middle one of count values, which are put in order. */
double load_median(double *values, size_t count);

#endif
