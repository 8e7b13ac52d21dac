#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "check/harness/template.h"

enum { FILE_MAX = 1024 * 1024, PATH_SIZE = 512, NAME_MAX_BYTES = 32 };

static enum err read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    char bytes[4096];
    size_t length;
    if (!file)
        return err_because(ERR_IO, "open %s: %s", path, strerror(errno));
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0)
        buf_add(out, bytes, length);
    fclose(file);
    return buf_check(out);
}

static enum err write_file(const char *path, const struct buf *content)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return err_because(ERR_IO, "open %s: %s", path, strerror(errno));
    fwrite(content->data, 1, content->length, file);
    return fclose(file) == 0 ? ERR_NONE : err_because(ERR_IO, "write %s: %s", path, strerror(errno));
}

/* The length of "@NAME@" at the start of text, 0 when it is none. */
static size_t placeholder_length(const char *text)
{
    size_t length = 1 + strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    return length > 1 && length < NAME_MAX_BYTES && text[length] == '@' ? length + 1 : 0;
}

static const char *value_of(const struct template_value *values, const char *name, size_t length)
{
    for (; values->name; values++)
        if (strlen(values->name) == length && strncmp(values->name, name, length) == 0)
            return values->value;
    return NULL;
}

static enum err fill(const char *text, const struct template_value *values, struct buf *out)
{
    while (*text) {
        size_t length = *text == '@' ? placeholder_length(text) : 0;
        if (length == 0) {
            buf_add_char(out, *text++);
            continue;
        }
        const char *value = value_of(values, text + 1, length - 2);
        if (!value)
            return err_because(ERR_CONFIG, "no value for %.*s", (int)length, text);
        buf_add_string(out, value);
        text += length;
    }
    return buf_check(out);
}

/* Whether a build in the source folder made this file from a template. */
static bool is_made(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s.in", folder, name);
    return access(path, F_OK) == 0;
}

static enum err copy_file(const char *from, const char *to, const char *name, const struct template_value *values)
{
    char source[PATH_SIZE], target[PATH_SIZE];
    struct buf read, filled;
    size_t length = strlen(name);
    bool is_template = length > 3 && strcmp(name + length - 3, ".in") == 0;
    snprintf(source, sizeof source, "%s/%s", from, name);
    snprintf(target, sizeof target, "%s/%.*s", to, (int)(is_template ? length - 3 : length), name);
    buf_init(&read, FILE_MAX);
    buf_init(&filled, FILE_MAX);
    enum err err = read_file(source, &read);
    if (!err && is_template)
        err = fill(buf_string(&read), values, &filled);
    if (!err)
        err = write_file(target, is_template ? &filled : &read);
    buf_fini(&filled);
    buf_fini(&read);
    return err;
}

enum err template_folder(const char *from, const char *to, const struct template_value *values)
{
    DIR *folder = opendir(from);
    enum err err = ERR_NONE;
    if (!folder)
        return err_because(ERR_IO, "open %s: %s", from, strerror(errno));
    for (struct dirent *entry; !err && (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && !is_made(from, entry->d_name))
            err = copy_file(from, to, entry->d_name, values);
    closedir(folder);
    return err;
}
