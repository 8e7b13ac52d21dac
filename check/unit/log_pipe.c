#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check/harness/suite.h"
#include "check/unit/log_pipe.h"

int log_pipe[2];
char log_pipe_text[LOG_PIPE_BYTES];

void log_pipe_open(struct log_opts opts)
{
    CU_ASSERT_EQUAL_FATAL(pipe(log_pipe), 0);
    fcntl(log_pipe[0], F_SETFL, O_NONBLOCK);
    fcntl(log_pipe[1], F_SETPIPE_SZ, LOG_PIPE_BYTES);
    opts.fd = log_pipe[1];
    CU_ASSERT_EQUAL_FATAL(log_open(&opts), ERR_NONE);
}

void log_pipe_close(void)
{
    log_close(LOG_PIPE_WAIT_MS);
    log_pipe_read();
    close(log_pipe[0]);
    close(log_pipe[1]);
}

const char *log_pipe_read(void)
{
    size_t length = 0;
    ssize_t got;

    while ((got = read(log_pipe[0], log_pipe_text + length, sizeof log_pipe_text - 1 - length)) > 0)
        length += (size_t)got;
    log_pipe_text[length] = '\0';
    return log_pipe_text;
}

const char *log_pipe_lines(void)
{
    CU_ASSERT_TRUE(log_flush(LOG_PIPE_WAIT_MS));
    return log_pipe_read();
}

size_t log_pipe_count(const char *text, const char *what)
{
    size_t count = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        count++;
    return count;
}
