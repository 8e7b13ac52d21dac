#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum { CAUSE_SIZE = 512 };

static const struct err_row {
    const char *name;
    int status;
    const char *text;
} rows[] = {
#define ERR_ROW(name, status, text) [name] = {#name, status, text},
    ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

static _Thread_local char cause[CAUSE_SIZE];

static const struct err_row *row_of(enum err err)
{
    assert((size_t)err < sizeof rows / sizeof rows[0]);
    return &rows[err];
}

const char *err_name(enum err err)
{
    return row_of(err)->name;
}

int err_status(enum err err)
{
    return row_of(err)->status;
}

const char *err_text(enum err err)
{
    return row_of(err)->text;
}

enum err err_because(enum err err, const char *format, ...)
{
    /* Formatted aside, since the values may quote the cause that stands now; errno stays for the caller. */
    int saved_errno = errno;
    char line[CAUSE_SIZE];
    va_list values;

    va_start(values, format);
    if (vsnprintf(line, sizeof line, format, values) < 0)
        line[0] = '\0';
    va_end(values);
    memcpy(cause, line, strlen(line) + 1);
    errno = saved_errno;
    return err;
}

const char *err_cause(void)
{
    return cause;
}

void err_clear(void)
{
    cause[0] = '\0';
}
