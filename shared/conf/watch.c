#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "conf/watch.h"

/* Under a name on the way to a file: that it comes, goes, or is another one now. */
#define WAY_MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

/* In the folder that a file is in, also that it was written or may be read now; and of the file itself. */
#define FOLDER_MASK (WAY_MASK | IN_CLOSE_WRITE | IN_ATTRIB)
#define FILE_MASK (IN_MODIFY | IN_ATTRIB)

/* What tells that a watched folder is no more what it was, or that something was missed. */
#define LOST_MASK (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW)

enum { LINKS_MAX = 40, ARENA_MAX = 8 * 1024 * 1024, EVENTS_BYTES = 16384, INTERESTS_FIRST = 32 };

/* What a name means in a watched folder; or a watched file. */
struct interest {
    int wd;
    const char *name;      /* NULL: any that ends like a settings file, and the file itself */
};

struct watch {
    int fd;
    struct arena arena;    /* of the names */
    struct interest *interests;
    size_t count, room;
    bool is_signed;
    enum err err;          /* the first, of watch_sources() */
};

enum err watch_open(struct watch **ret)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_because(ERR_MEMORY, "no memory to watch settings");
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0) {
        free(watch);
        return err_because(ERR_IO, "inotify: %s", strerror(errno));
    }
    arena_init(&watch->arena, ARENA_MAX);
    *ret = watch;
    return ERR_NONE;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    close(watch->fd);
    free(watch->interests);
    arena_fini(&watch->arena);
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

/* ---- what is of interest ---- */

static void fail(struct watch *watch, enum err err)
{
    if (!watch->err)
        watch->err = err;
}

static bool has_interest(const struct watch *watch, int wd, const char *name)
{
    for (size_t i = 0; i < watch->count; i++) {
        const struct interest *interest = &watch->interests[i];
        if (interest->wd == wd && (name && interest->name ? strcmp(interest->name, name) == 0 : name == interest->name))
            return true;
    }
    return false;
}

static bool make_room(struct watch *watch)
{
    if (watch->count < watch->room)
        return true;
    size_t room = watch->room ? 2 * watch->room : INTERESTS_FIRST;
    struct interest *interests = realloc(watch->interests, room * sizeof *interests);
    if (!interests)
        return false;
    watch->interests = interests;
    watch->room = room;
    return true;
}

static void add_interest(struct watch *watch, int wd, const char *name)
{
    if (has_interest(watch, wd, name))
        return;
    const char *kept = name ? arena_string(&watch->arena, text_of(name)) : NULL;
    if ((name && !kept) || !make_room(watch))
        fail(watch, err_because(ERR_MEMORY, "no memory to watch settings"));
    else
        watch->interests[watch->count++] = (struct interest){wd, kept};
}

/* Folders on the way may be closed to us; the one a file is in may not. */
static void watch_path(struct watch *watch, const char *path, const char *name, uint32_t mask)
{
    int wd = inotify_add_watch(watch->fd, path, mask | IN_MASK_ADD);
    if (wd >= 0)
        add_interest(watch, wd, name);
    else if (errno != ENOENT && errno != ENOTDIR && !(errno == EACCES && (mask & ~IN_ONLYDIR) == WAY_MASK))
        fail(watch, err_because(ERR_IO, "%s cannot be watched: %s", path, strerror(errno)));
}

/* ---- following a path ---- */

/* A path on its way from the root: `done` is without links, `rest` is still to be walked. */
struct walk {
    char done[PATH_MAX], rest[PATH_MAX];
    unsigned links;
};

static bool begin_walk(struct walk *walk, const char *path)
{
    char folder[PATH_MAX] = "";
    *walk = (struct walk){.links = 0};
    if (*path != '/' && !getcwd(folder, sizeof folder))
        return false;
    return snprintf(walk->rest, sizeof walk->rest, "%s/%s", folder, path) < (int)sizeof walk->rest;
}

/* Cuts the next part off `rest`; false when there is none left. */
static bool next_part(struct walk *walk, char part[static NAME_MAX + 1])
{
    const char *from = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(from, "/");
    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(part, from, length);
    part[length] = '\0';
    memmove(walk->rest, from + length, strlen(from + length) + 1);
    return true;
}

static bool enter(struct walk *walk, const char *part)
{
    size_t length = strlen(walk->done);
    return snprintf(walk->done + length, sizeof walk->done - length, "/%s", part) < (int)(sizeof walk->done - length);
}

static void leave(struct walk *walk)
{
    char *slash = strrchr(walk->done, '/');
    if (slash)
        *slash = '\0';
}

/* `done` is a link: its target comes before what is left. */
static bool follow_link(struct walk *walk, const char *target)
{
    char rest[PATH_MAX];
    if (++walk->links > LINKS_MAX || snprintf(rest, sizeof rest, "%s%s", target, walk->rest) >= (int)sizeof rest)
        return false;
    memcpy(walk->rest, rest, strlen(rest) + 1);
    if (*target == '/')
        walk->done[0] = '\0';
    else
        leave(walk);
    return true;
}

static bool is_last(const struct walk *walk)
{
    return walk->rest[strspn(walk->rest, "/")] == '\0';
}

/* Takes one part. False at the end of what is there. */
static bool step(struct watch *watch, struct walk *walk)
{
    char part[NAME_MAX + 1], target[PATH_MAX];
    if (!next_part(walk, part))
        return false;
    if (strcmp(part, ".") == 0)
        return true;
    if (strcmp(part, "..") == 0) {
        leave(walk);
        return true;
    }
    watch_path(watch, *walk->done ? walk->done : "/", part, (is_last(walk) ? FOLDER_MASK : WAY_MASK) | IN_ONLYDIR);
    if (!enter(walk, part))
        return false;
    ssize_t length = readlink(walk->done, target, sizeof target - 1);
    if (length < 0)
        return errno == EINVAL;
    target[length] = '\0';
    return follow_link(walk, target);
}

/* Watches every part of a path. True when it led to something, which `walk` then has the place of. */
static bool follow(struct watch *watch, const char *path, struct walk *walk)
{
    if (!begin_walk(walk, path))
        return false;
    while (!is_last(walk)) {
        if (!step(watch, walk))
            return false;
    }
    return true;
}

static void follow_file(struct watch *watch, const char *path)
{
    struct walk walk;
    if (follow(watch, path, &walk))
        watch_path(watch, walk.done, NULL, FILE_MASK);
}

static void follow_folder(struct watch *watch, const char *path)
{
    struct walk walk;
    if (follow(watch, path, &walk))
        watch_path(watch, *walk.done ? walk.done : "/", NULL, FOLDER_MASK | IN_ONLYDIR);
}

static void follow_source(struct watch *watch, const char *path)
{
    char signature[PATH_MAX];
    follow_file(watch, path);
    if (watch->is_signed && snprintf(signature, sizeof signature, "%s" SIGNATURE_SUFFIX, path) < PATH_MAX)
        follow_file(watch, signature);
}

enum err watch_sources(struct watch *watch, const struct sources *sources, bool is_signed)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        return err_because(ERR_IO, "inotify: %s", strerror(errno));
    close(watch->fd);
    watch->fd = fd;
    watch->count = 0;
    watch->err = ERR_NONE;
    watch->is_signed = is_signed;
    arena_reset(&watch->arena);
    for (size_t i = 0; i < sources->count; i++)
        follow_source(watch, sources->list[i].path);
    if (sources->folder)
        follow_folder(watch, sources->folder);
    return watch->err;
}

/* ---- what happened ---- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length > tail && strcmp(name + length - tail, suffix) == 0;
}

static bool is_settings_name(const struct watch *watch, const char *name)
{
    return ends_with(name, SOURCE_SUFFIX) || (watch->is_signed && ends_with(name, SOURCE_SUFFIX SIGNATURE_SUFFIX));
}

static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
    if (event->mask & LOST_MASK)
        return true;
    if (event->len == 0 || is_settings_name(watch, event->name)) {
        if (has_interest(watch, event->wd, NULL))
            return true;
    }
    return event->len > 0 && has_interest(watch, event->wd, event->name);
}

bool watch_changed(struct watch *watch)
{
    union {
        struct inotify_event event;
        char bytes[EVENTS_BYTES];
    } events;
    bool changed = false;
    ssize_t got;
    while ((got = read(watch->fd, &events, sizeof events)) > 0 || (got < 0 && errno == EINTR)) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const struct inotify_event *)(events.bytes + at);
            changed = changed || concerns(watch, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    return changed;
}
