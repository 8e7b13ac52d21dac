#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/torture/audit.h"

enum { PATH_SIZE = 512, PATIENCE_MS = 120000, ARGUMENTS = 16 };

struct ending {
    struct process process;
    int status;
};

static bool has_ended(void *context)
{
    struct ending *ending = context;
    return !process_runs(&ending->process, &ending->status);
}

static void read_report(const char *path, struct audit_report *report)
{
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(report->text, 1, sizeof report->text - 1, file) : 0;
    report->text[length] = '\0';
    if (file)
        fclose(file);
    const char *settled = strstr(report->text, "settled after "), *figures = strstr(report->text, "figures:");
    report->settled_ms = settled ? strtol(settled + strlen("settled after "), NULL, 10) : -1;
    snprintf(report->figures, sizeof report->figures, "%.*s", figures ? (int)strcspn(figures, "\n") : 0,
             figures ? figures : "");
}

void audit_run(const struct audit_subject *subject, unsigned wait_ms, unsigned restored, struct audit_report *ret)
{
    const char *build = getenv("TANDEM_BUILDDIR");
    char program[PATH_SIZE], log[PATH_SIZE], wait[16], mark[16];
    struct ending ending = {.status = -1};
    snprintf(program, sizeof program, "%s/check/torture/auditor", build && *build ? build : ".");
    snprintf(log, sizeof log, "%s/audit.log", subject->folder);
    snprintf(wait, sizeof wait, "%u", wait_ms);
    snprintf(mark, sizeof mark, "%u", restored);
    const char *argv[ARGUMENTS] = {program, "--folder", subject->folder, "--journal", subject->journal, "--wait-ms",
                                   wait, "--restored", mark};
    size_t count = 9;
    if (subject->postgresql) {
        argv[count++] = "--postgresql";
        argv[count++] = subject->postgresql;
    }
    *ret = (struct audit_report){.status = -1, .settled_ms = -1};
    unlink(log);
    if (process_start(argv, log, SIGKILL, &ending.process))
        return;
    if (!process_until(has_ended, &ending, wait_ms + PATIENCE_MS))
        process_kill(&ending.process);
    else if (WIFEXITED(ending.status))
        ret->status = WEXITSTATUS(ending.status);
    read_report(log, ret);
}

long audit_figure(const struct audit_report *report, const char *name)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, " %s=", name);
    const char *found = strstr(report->figures, wanted);
    return found ? strtol(found + strlen(wanted), NULL, 10) : -1;
}

void audit_print(const struct audit_report *report)
{
    for (const char *line = report->text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, "holds", 5) != 0)
            printf("# %.*s\n", (int)strcspn(line, "\n"), line);
    fflush(stdout);
}
