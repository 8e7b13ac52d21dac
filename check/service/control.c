#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/service/control.h"
#include "check/service/variants.h"

enum { PATH_SIZE = 512, ARGUMENTS_MAX = 24 };

char control_said[CONTROL_OUTPUT_MAX];

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value ? value : ".";
}

static void read_said(const char *log)
{
    FILE *stream = fopen(log, "re");
    size_t length = stream ? fread(control_said, 1, sizeof control_said - 1, stream) : 0;
    control_said[length] = '\0';
    if (stream)
        fclose(stream);
}

static bool run(const char *const *argv)
{
    char log[PATH_SIZE];
    snprintf(log, sizeof log, "%s/control.log", system_folder(variant_system()));
    unlink(log);
    bool is_well = process_run(argv, log) == ERR_NONE;
    read_said(log);
    return is_well;
}

bool control_run(const char *const *arguments)
{
    char program[PATH_SIZE], config[PATH_SIZE];
    const char *argv[ARGUMENTS_MAX + 4];
    size_t count = 0;
    snprintf(program, sizeof program, "%s/tandemctl", setting("TANDEM_BUILDDIR"));
    snprintf(config, sizeof config, "%s/tandem.conf", system_folder(variant_system()));
    argv[count++] = program;
    for (; *arguments && count < ARGUMENTS_MAX; arguments++)
        argv[count++] = *arguments;
    argv[count++] = "--config";
    argv[count++] = config;
    argv[count] = NULL;
    return run(argv);
}

static bool has_validator(void)
{
    return run((const char *const[]){"python3", "-c", "import jsonschema", NULL});
}

void control_validate_events(const char *const *types)
{
    char command[4 * PATH_SIZE];
    if (!has_validator()) {
        suite_skip("python3-jsonschema is not installed");
        return;
    }
    snprintf(command, sizeof command,
             "set -e; %s/tandemctl events list --json --limit 1000000 --config %s/tandem.conf > %s/events.json;"
             " exec python3 %s/check/harness/event_schemas.py validate %s/etc/events < %s/events.json",
             setting("TANDEM_BUILDDIR"), system_folder(variant_system()), system_folder(variant_system()),
             setting("TANDEM_SRCDIR"), setting("TANDEM_SRCDIR"), system_folder(variant_system()));
    if (!run((const char *const[]){"sh", "-c", command, NULL}))
        CU_assertImplementation(CU_FALSE, __LINE__, control_said, __FILE__, "", CU_FALSE);
    for (; *types; types++) {
        char line[128];
        snprintf(line, sizeof line, "# %s ", *types);
        if (!strstr(control_said, line))
            CU_assertImplementation(CU_FALSE, __LINE__, line, "none was emitted", "", CU_FALSE);
    }
}
