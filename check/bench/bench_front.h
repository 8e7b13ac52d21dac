/*
 * The yardstick of the benchmarks: an nginx of its own that does nothing but `return 200`.
 */
#ifndef TANDEM_CHECK_BENCH_BENCH_FRONT_H
#define TANDEM_CHECK_BENCH_BENCH_FRONT_H

#include "base/err.h"
#include "check/harness/process.h"

struct bench_front {
    struct process process;
    char url[64];
};

/** Starts it, its files in folder, and waits until it answers. */
enum err must_check bench_front_start(const char *folder, struct bench_front *ret);
void bench_front_stop(struct bench_front *front);

#endif
