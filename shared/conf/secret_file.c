#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/secret_file.h"

enum { READ_BYTES = 512 };

static enum err check_mode(const struct stat *status, const char *path)
{
    if (S_ISREG(status->st_mode) && (status->st_mode & (S_IWGRP | S_IRWXO)) != 0)
        return err_because(ERR_FORBIDDEN, "%s has mode %04o; take the rights of others away (chmod 600)", path,
                           (unsigned)(status->st_mode & 07777));
    return ERR_NONE;
}

enum err secret_file_check(int fd, const char *path)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return err_because(ERR_IO, "stat %s: %s", path, strerror(errno));
    return check_mode(&status, path);
}

enum err secret_file_check_path(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? check_mode(&status, path) : ERR_NONE;
}

static enum err read_all(int fd, const char *path, struct buf *out)
{
    ssize_t got;
    do {
        char *room = buf_reserve(out, READ_BYTES);
        got = room ? read(fd, room, READ_BYTES) : 0;
        if (got > 0)
            buf_commit(out, (size_t)got);
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        return err_because(ERR_IO, "read %s: %s", path, strerror(errno));
    return buf_check(out) ? err_because(ERR_INVALID, "%s is larger than a secret can be", path) : ERR_NONE;
}

enum err secret_file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_because(ERR_IO, "open %s: %s", path, strerror(errno));
    enum err err = secret_file_check(fd, path);
    if (!err)
        err = read_all(fd, path, out);
    close(fd);
    return err;
}
