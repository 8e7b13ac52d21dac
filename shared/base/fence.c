#include "config.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fence.h"

atomic_bool fence_is_lopsided;

static bool membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

void fence_init(void)
{
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
        atomic_store(&fence_is_lopsided, true);
}

void fence_heavy(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&fence_is_lopsided, memory_order_relaxed))
        return;
    /* The first needs a little memory in the kernel, the second only time. */
    if (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        membarrier(MEMBARRIER_CMD_GLOBAL);
}
