#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"

enum { ARGUMENTS_MAX = 32, PATH_SIZE = 512 };

const char *ctl_built(const char *program, char *out, size_t size)
{
    const char *folder = getenv("TANDEM_BUILDDIR");
    snprintf(out, size, "%s/%s", folder ? folder : ".", program);
    return out;
}

const char *ctl_file(struct ctl *ctl, const char *name, const char *content, unsigned mode, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", ctl->folder, name);
    FILE *file = fopen(out, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(content, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
    CU_ASSERT_EQUAL(chmod(out, mode), 0);
    return out;
}

/* A cost of hashing that makes the tests quick; nothing here is kept. */
void ctl_begin(struct ctl *ctl)
{
    char content[1024];
    ctl->folder = process_folder();
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctl->folder);
    snprintf(ctl->database, sizeof ctl->database, "%s/user.db", ctl->folder);
    snprintf(content, sizeof content,
             "password = { passes = 1; memory_kib = 64; };\n"
             "bus = { url = \"embedded:%s/bus.db\"; };\n"
             "service = { user = { db = { path = \"%s\"; }; server = { listen = \"unix:%s/user.sock\"; }; }; };\n",
             ctl->folder, ctl->database, ctl->folder);
    ctl_file(ctl, "tandem.conf", content, 0644, ctl->config, sizeof ctl->config);
}

void ctl_end(struct ctl *ctl)
{
    process_remove(ctl->folder);
    free(ctl->folder);
}

static void read_back(const char *path, char *out)
{
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    out[fread(out, 1, CTL_OUTPUT_MAX - 1, file)] = '\0';
    fclose(file);
}

static void redirect(int fd, const char *path, int flags)
{
    int opened = open(path, flags, 0600);
    if (opened < 0 || dup2(opened, fd) < 0)
        _exit(127);
}

int ctl_run(struct ctl *ctl, bool with_config, const char *const *arguments)
{
    char program[PATH_SIZE], out[PATH_SIZE], err[PATH_SIZE];
    const char *argv[ARGUMENTS_MAX] = {ctl_built("tandemctl", program, sizeof program)};
    size_t count = 1;
    for (; *arguments; arguments++)
        argv[count++] = *arguments;
    if (with_config) {
        argv[count++] = "--config";
        argv[count++] = ctl->config;
    }
    snprintf(out, sizeof out, "%s/out", ctl->folder);
    snprintf(err, sizeof err, "%s/err", ctl->folder);

    int status;
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid == 0) {
        setsid();   /* away from the terminal, so that nothing can be asked there */
        redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
        redirect(STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC);
        redirect(STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC);
        execv(program, (char *const *)argv);
        _exit(127);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    read_back(out, ctl->out);
    read_back(err, ctl->err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
