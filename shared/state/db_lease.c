#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "state/db_private.h"

static bool lock(struct db *db, unsigned number, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = number, .l_len = 1};
    return fcntl(db->lease_fd, F_OFD_SETLK, &lock) == 0;
}

bool db_lease_take(struct db *db, unsigned number)
{
    return lock(db, number, F_WRLCK);
}

void db_lease_end(struct db *db, unsigned number)
{
    lock(db, number, F_UNLCK);
}

enum err lease_open(struct db *db)
{
    char path[DB_PATH_SIZE];
    path_beside(db, "-lease", path);
    db->lease_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    return db->lease_fd >= 0 ? ERR_NONE : err_because(ERR_STORAGE, "open %s: %s", path, strerror(errno));
}
