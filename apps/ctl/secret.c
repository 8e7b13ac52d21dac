#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "apps/ctl/secret.h"
#include "conf/secret_file.h"

static enum err io_error(const char *what, const char *path)
{
    return err_because(ERR_IO, "%s %s: %s", what, path, strerror(errno));
}

/* Reads to the end of the line or of the file, a byte at a time, since what follows is not ours. */
static enum err read_line(int fd, struct buf *out)
{
    char c;
    ssize_t got;
    do {
        got = read(fd, &c, 1);
        if (got > 0 && c != '\n')
            buf_add_char(out, c);
    } while ((got > 0 && c != '\n') || (got < 0 && errno == EINTR));
    if (got < 0)
        return err_because(ERR_IO, "read: %s", strerror(errno));
    if (buf_check(out))
        return err_because(ERR_INVALID, "the password is longer than %zu bytes", out->max_bytes);
    return ERR_NONE;
}

/* ---- from the terminal ---- */

static enum err ask_once(int terminal, const char *prompt, struct buf *out)
{
    struct termios before, silent;
    if (tcgetattr(terminal, &before) != 0)
        return io_error("tcgetattr", "/dev/tty");
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(terminal, TCSAFLUSH, &silent) != 0)
        return io_error("tcsetattr", "/dev/tty");
    dprintf(terminal, "%s", prompt);
    enum err err = read_line(terminal, out);
    dprintf(terminal, "\n");
    if (tcsetattr(terminal, TCSAFLUSH, &before) != 0 && !err)
        err = io_error("tcsetattr", "/dev/tty");
    return err;
}

enum err secret_ask(const char *prompt, struct buf *out)
{
    struct buf again;
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        return err_because(ERR_IO, "there is no terminal to ask for the password on; use --password-file");
    buf_init(&again, out->max_bytes);
    enum err err = ask_once(terminal, prompt, out);
    if (!err)
        err = ask_once(terminal, "Again: ", &again);
    if (!err && !text_equal(buf_text(out), buf_text(&again)))
        err = err_because(ERR_INVALID, "the two are not the same");
    if (again.data)
        sodium_memzero(again.data, again.length);
    buf_fini(&again);
    close(terminal);
    return err;
}

/* ---- from a file ---- */

enum err secret_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return io_error("open", path);
    enum err err = secret_file_check(fd, path);
    if (!err)
        err = read_line(fd, out);
    if (!err && out->length == 0)
        err = err_because(ERR_INVALID, "%s has nothing in its first line", path);
    close(fd);
    return err;
}

/* ---- to a file ---- */

static enum err write_all(int fd, struct text bytes, const char *path)
{
    while (bytes.length > 0) {
        ssize_t put = write(fd, bytes.at, bytes.length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return io_error("write", path);
        bytes.at += put;
        bytes.length -= (size_t)put;
    }
    return fsync(fd) == 0 ? ERR_NONE : io_error("fsync", path);
}

enum err secret_stage(const char *path, struct secret secret, struct secret_file *ret)
{
    struct secret_file file;
    if ((size_t)snprintf(file.path, sizeof file.path, "%s", path) >= sizeof file.path)
        return err_because(ERR_INVALID, "the path is too long");
    snprintf(file.staged, sizeof file.staged, "%s.XXXXXX", path);
    int fd = mkostemp(file.staged, O_CLOEXEC);
    if (fd < 0)
        return io_error("make", file.staged);
    enum err err = fchmod(fd, 0600) == 0 ? ERR_NONE : io_error("chmod", file.staged);
    if (!err)
        err = write_all(fd, secret_reveal(secret), file.staged);
    if (!err)
        err = write_all(fd, TEXT("\n"), file.staged);
    close(fd);
    if (err)
        unlink(file.staged);
    else
        *ret = file;
    return err;
}

/* The name is durable when its folder is. */
static enum err sync_folder(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return io_error("open", folder);
    enum err err = fsync(fd) == 0 ? ERR_NONE : io_error("fsync", folder);
    close(fd);
    return err;
}

enum err secret_publish(const struct secret_file *file)
{
    if (rename(file->staged, file->path) != 0)
        return io_error("rename to", file->path);
    return sync_folder(file->path);
}

void secret_drop(const struct secret_file *file)
{
    unlink(file->staged);
}
