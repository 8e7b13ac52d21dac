/* Every case of server_cases_*.c on the native transport. */
#include "config.h"

#include "check/unit/server_fixture.h"

int main(void)
{
    static const char *const not_applying[] = {NULL};
    return server_cases_run("native", not_applying);
}
