/*
 * A fence in two halves, for two threads of which each writes what the other one reads, so that not both overlook what
 * the other wrote. One of them passes often and pays nothing, the other seldom, and pays for both:
 *
 *     often:   something is put;      fence_light(); is somebody asleep?  then wake them
 *     seldom:  "asleep" is written;   fence_heavy(); is there something?  then do not sleep
 *
 * It is membarrier(2), by which the kernel has every running thread of the process pass a fence; where that is not to
 * be had, both halves are a fence each. What is written and read between them is atomic.
 *
 * Threads: fence_init() before the first that passes, any number of times; all else from any thread.
 */
#ifndef TANDEM_BASE_FENCE_H
#define TANDEM_BASE_FENCE_H

#include <stdatomic.h>
#include <stdbool.h>

/* The kernel passes the light half's fences; fence_init() alone writes it. */
extern atomic_bool fence_is_lopsided;

void fence_init(void);

static inline void fence_light(void)
{
    if (atomic_load_explicit(&fence_is_lopsided, memory_order_relaxed))
        atomic_signal_fence(memory_order_seq_cst);
    else
        atomic_thread_fence(memory_order_seq_cst);
}

void fence_heavy(void);

#endif
