#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/source.h"

enum { READ_BYTES = 16384, ENVIRONMENT_NAME_MAX = 64 };

static const char VARIABLE[] = "TANDEM_ENV=";
static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

static enum err no_memory(void)
{
    return err_because(ERR_MEMORY, "no memory for the names of settings files");
}

static enum err add(struct sources *sources, const char *path, const char *layer, const char *named_by)
{
    if (!path)
        return no_memory();
    if (sources->count == SOURCES_MAX)
        return err_because(ERR_CONFIG, "more than %d settings files", SOURCES_MAX);
    sources->list[sources->count++] = (struct source){path, layer, named_by};
    return ERR_NONE;
}

/* ---- the file of an environment ---- */

const char *source_environment(char *const *environment)
{
    const char *name = NULL;
    for (; environment && *environment; environment++) {
        if (strncmp(*environment, VARIABLE, strlen(VARIABLE)) == 0)
            name = *environment + strlen(VARIABLE);
    }
    return name && *name ? name : NULL;
}

static enum err check_name(const char *name, const char *file)
{
    if (strspn(name, LETTERS) != strlen(name) || strlen(name) > ENVIRONMENT_NAME_MAX)
        return err_because(ERR_CONFIG, "TANDEM_ENV is \"%.64s\", not a word of a-z, 0-9 and -", name);
    if (!file)
        return err_because(ERR_CONFIG, "TANDEM_ENV is \"%s\", but there is no --config FILE to find its file beside",
                           name);
    return ERR_NONE;
}

/* ---- conf.d ---- */

static bool has_suffix(const char *name)
{
    size_t length = strlen(name), suffix = strlen(SOURCE_SUFFIX);
    return name[0] != '.' && length > suffix && strcmp(name + length - suffix, SOURCE_SUFFIX) == 0;
}

static int by_name(const void *a, const void *b)
{
    const struct source *first = a, *second = b;
    return strcmp(first->path, second->path);
}

static enum err add_folder(struct sources *sources, struct arena *arena)
{
    size_t first = sources->count;
    enum err err = ERR_NONE;
    DIR *folder = opendir(sources->folder);
    if (!folder && errno == ENOENT)
        return ERR_NONE;
    if (!folder)
        return err_because(ERR_CONFIG, "%s: %s", sources->folder, strerror(errno));
    for (struct dirent *entry; !err && (entry = readdir(folder)) != NULL;) {
        if (has_suffix(entry->d_name))
            err = add(sources, arena_printf(arena, "%s/%s", sources->folder, entry->d_name), "conf.d file",
                      NULL);
    }
    closedir(folder);
    qsort(sources->list + first, sources->count - first, sizeof sources->list[0], by_name);
    return err;
}

/* ---- all ---- */

enum err sources_find(const char *file, char *const *environment, struct arena *arena, struct sources *ret)
{
    struct sources sources = {.count = 0};
    const char *name = source_environment(environment);
    enum err err = name ? check_name(name, file) : ERR_NONE;
    if (!err && file) {
        const char *slash = strrchr(file, '/');
        int folder = slash ? (int)(slash - file) + 1 : 0;   /* with its slash */
        sources.folder = arena_printf(arena, "%.*s" SOURCE_FOLDER, folder, file);
        err = sources.folder ? add(&sources, arena_string(arena, text_of(file)), "file", NULL) : no_memory();
        if (!err && name)
            err = add(&sources, arena_printf(arena, "%.*standem.%s.conf", folder, file, name), "TANDEM_ENV file",
                      "TANDEM_ENV");
        if (!err)
            err = add_folder(&sources, arena);
    }
    if (!err)
        *ret = sources;
    return err;
}

/* ---- their bytes ---- */

static enum err read_whole(int fd, struct buf *out)
{
    ssize_t got;
    do {
        char *room = buf_reserve(out, READ_BYTES);
        got = room ? read(fd, room, READ_BYTES) : 0;
        if (got > 0)
            buf_commit(out, (size_t)got);
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        return err_because(ERR_CONFIG, "%s", strerror(errno));
    if (buf_check(out) != ERR_NONE || out->length > SOURCE_MAX_BYTES)
        return err_because(ERR_CONFIG, "it is larger than %d bytes", SOURCE_MAX_BYTES);
    return ERR_NONE;
}

/* O_NONBLOCK, so that a pipe in its place does not hold everything up. */
static enum err read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_because(ERR_CONFIG, "%s", strerror(errno));
    enum err err = read_whole(fd, out);
    close(fd);
    return err;
}

static enum err verify(const char *path, const struct signature_key *key, struct text content)
{
    char signature_path[4096 + 16];
    struct buf signature;
    buf_init(&signature, SOURCE_MAX_BYTES + READ_BYTES);
    snprintf(signature_path, sizeof signature_path, "%s" SIGNATURE_SUFFIX, path);
    enum err err = read_file(signature_path, &signature);
    if (err)
        err = err_because(err, "its signature, %s, cannot be read: %.128s", signature_path, err_cause());
    else
        err = signature_verify(key, content, buf_text(&signature), NULL);
    buf_fini(&signature);
    return err ? err_because(ERR_CONFIG, "%s", err_cause()) : ERR_NONE;
}

enum err source_read(const char *path, const struct signature_key *key, struct buf *out)
{
    buf_init(out, SOURCE_MAX_BYTES + READ_BYTES);
    enum err err = read_file(path, out);
    if (!err && key)
        err = verify(path, key, buf_text(out));
    if (!err && text_find(buf_text(out), '\0') >= 0)
        err = err_because(ERR_CONFIG, "it has a NUL byte");
    return err;
}
