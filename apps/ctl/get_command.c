#include "config.h"

#include <stdlib.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/probe.h"

enum { TIMEOUT_MS = 5000, TIMEOUT_MAX_MS = 3600000 };

int command_get(const struct invocation *invocation)
{
    struct probe_answer answer;
    long timeout_ms;
    if (!invocation_number(invocation, "timeout-ms", 1, TIMEOUT_MAX_MS, TIMEOUT_MS, &timeout_ms))
        return EXIT_USAGE;
    enum err err = probe_get(invocation->operands[0], invocation->operands[1], (unsigned)timeout_ms, &answer);
    if (err == ERR_CONFIG || err == ERR_INVALID)
        return invocation_usage(invocation->command, "%s", err_cause());
    if (err)
        return invocation_failure("%s", err_cause());
    bool whole = fwrite(answer.body.data, 1, answer.body.length, stdout) == answer.body.length;
    if (answer.body.length > 0 && answer.body.data[answer.body.length - 1] != '\n')
        putchar('\n');
    buf_fini(&answer.body);
    if (!whole || fflush(stdout) != 0)
        return invocation_failure("the answer could not be written");
    if (answer.status < 200 || answer.status > 299)
        return invocation_failure("the status is %d", answer.status);
    return EXIT_SUCCESS;
}
