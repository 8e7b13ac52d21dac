/*
 * Files that hold a secret: a token, a password, a key. Others may not read them, and their content is never told.
 *
 * A file whose mode gives other users anything at all, or lets its group change it, is refused; the group may read it,
 * since that is how a service of another user is given one. Any thread.
 */
#ifndef TANDEM_CONF_SECRET_FILE_H
#define TANDEM_CONF_SECRET_FILE_H

#include "base/buf.h"
#include "base/err.h"

/** By the descriptor of an open file; pipes and terminals pass. ERR_IO; ERR_FORBIDDEN with a cause that names path. */
enum err must_check secret_file_check(int fd, const char *path);

/** By its path. Passes what is not there, or cannot be seen, yet. ERR_FORBIDDEN as above. */
enum err must_check secret_file_check_path(const char *path);

/** Opens, checks and reads it all. ERR_IO; ERR_FORBIDDEN; ERR_INVALID when it is larger than out's ceiling, which is
 *  the caller's to init and to erase. */
enum err must_check secret_file_read(const char *path, struct buf *out);

#endif
