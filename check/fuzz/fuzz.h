/*
 * A fuzz target: one function that libFuzzer calls, and that replay.c calls for each file of the target's corpus.
 *
 * A target asserts what must hold for every input. fuzz_NAME.c has its corpus in corpus/NAME; see local.mk for the
 * lines that add one.
 */
#ifndef TANDEM_CHECK_FUZZ_FUZZ_H
#define TANDEM_CHECK_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** Takes any bytes; returns 0. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
