#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "state/db_sqlite.h"

/* Whoever has the database open shares this one; who replaces the file has it alone. */
enum { IN_USE = 1 << 20 };

static bool lock_at(int fd, unsigned number, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = number, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool lock(struct sqlite_database *database, unsigned number, short type)
{
    return lock_at(database->lease_fd, number, type);
}

bool sqlite_lease_take(struct db *db, unsigned number)
{
    return lock(sqlite_database(db), number, F_WRLCK);
}

void sqlite_lease_end(struct db *db, unsigned number)
{
    lock(sqlite_database(db), number, F_UNLCK);
}

enum err lease_open(struct sqlite_database *database)
{
    const struct db *db = &database->base;
    char path[DB_PATH_SIZE];
    path_beside(db, "-lease", path);
    database->lease_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (database->lease_fd < 0)
        return err_because(ERR_STORAGE, "open %s: %s", path, strerror(errno));
    if (!lock(database, IN_USE, F_RDLCK))
        return err_because(ERR_BUSY, "%s is being restored", db->path);
    return ERR_NONE;
}

enum err db_hold(const char *path, int *ret_fd)
{
    char lease[DB_PATH_SIZE];
    snprintf(lease, sizeof lease, "%s-lease", path);
    int fd = open(lease, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (fd < 0)
        return err_because(ERR_STORAGE, "open %s: %s", lease, strerror(errno));
    if (!lock_at(fd, IN_USE, F_WRLCK)) {
        close(fd);
        return err_because(ERR_BUSY, "%s is in use", path);
    }
    *ret_fd = fd;
    return ERR_NONE;
}
