#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/ctl/db_manifest.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/json_write.h"

enum { FORMAT = 1, PATH_SIZE = 4352, READ_BYTES = 64 * 1024 };

static const char NAME[] = "manifest.json";

static const char *path_in(const char *folder, const char *name, char out[static PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/%s", folder, name);
    return out;
}

/* ---- digests ---- */

static enum err digest_file(const char *path, char out[static TOKEN_DIGEST_SIZE], int64_t *ret_bytes)
{
    static unsigned char chunk[READ_BYTES];
    crypto_hash_sha256_state state;
    unsigned char digest[crypto_hash_sha256_BYTES];
    int64_t bytes = 0;
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_because(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    crypto_hash_sha256_init(&state);
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        crypto_hash_sha256_update(&state, chunk, (unsigned long long)got);
        bytes += got;
    }
    enum err err = got == 0 ? ERR_NONE : err_because(ERR_IO, "%s: %s", path, strerror(errno));
    close(fd);
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(out, TOKEN_DIGEST_SIZE, digest, sizeof digest);
    if (!err)
        *ret_bytes = bytes;
    return err;
}

/* ---- writing ---- */

static enum err compose(const char *folder, const char *const *names, size_t count, struct buf *out)
{
    struct json_writer writer;
    enum err err = ERR_NONE;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_integer(&writer, "format", FORMAT);
    json_member_time(&writer, "created_at", clock_wall_us());
    json_key(&writer, "files");
    json_array_begin(&writer);
    for (size_t i = 0; i < count && !err; i++) {
        char path[PATH_SIZE], digest[TOKEN_DIGEST_SIZE] = "";
        int64_t bytes = 0;
        err = digest_file(path_in(folder, names[i], path), digest, &bytes);
        json_object_begin(&writer);
        json_member_string(&writer, "name", names[i]);
        json_member_integer(&writer, "bytes", bytes);
        json_member_string(&writer, "sha256", digest);
        json_object_end(&writer);
    }
    json_array_end(&writer);
    json_object_end(&writer);
    buf_add_char(out, '\n');
    return err ? err : buf_check(out);
}

static enum err write_whole(const char *path, struct text content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write(fd, content.at, content.length) == (ssize_t)content.length && fsync(fd) == 0;
    enum err err = done ? ERR_NONE
                        : err_because(errno == ENOSPC ? ERR_STORAGE_FULL : ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && err)
        unlink(path);
    return err;
}

enum err manifest_write(const char *folder, const char *const *names, size_t count)
{
    char path[PATH_SIZE];
    struct buf content;
    buf_init(&content, MANIFEST_MAX_BYTES);
    enum err err = compose(folder, names, count, &content);
    if (!err)
        err = write_whole(path_in(folder, NAME, path), buf_text(&content));
    buf_fini(&content);
    return err;
}

/* ---- reading ---- */

struct content {
    int64_t format;
    struct text created_at;
    struct json_array files;
};

static const struct json_field file_fields[] = {
    {.name = "name", .type = JSON_TEXT, .required = true, .min = 1, .max = 64,
     .offset = offsetof(struct manifest_file, name)},
    {.name = "bytes", .type = JSON_INTEGER, .required = true, .min = 0, .max = INT64_MAX,
     .offset = offsetof(struct manifest_file, bytes)},
    {.name = "sha256", .type = JSON_TEXT, .required = true, .min = TOKEN_DIGEST_SIZE - 1, .max = TOKEN_DIGEST_SIZE - 1,
     .offset = offsetof(struct manifest_file, sha256)},
    {.name = NULL},
};

static const struct json_field fields[] = {
    {.name = "format", .type = JSON_INTEGER, .required = true, .min = 1, .max = FORMAT,
     .offset = offsetof(struct content, format)},
    {.name = "created_at", .type = JSON_TEXT, .required = true, .offset = offsetof(struct content, created_at)},
    {.name = "files", .type = JSON_ARRAY, .required = true, .min = 1, .max = 64, .fields = file_fields,
     .element_size = sizeof(struct manifest_file), .offset = offsetof(struct content, files)},
    {.name = NULL},
};

static enum err read_whole(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_because(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    ssize_t got = 1;
    while (got > 0 && !out->failed) {
        char chunk[4096];
        got = read(fd, chunk, sizeof chunk);
        if (got > 0)
            buf_add(out, chunk, (size_t)got);
    }
    enum err err = got < 0 ? err_because(ERR_IO, "%s: %s", path, strerror(errno)) : ERR_NONE;
    close(fd);
    if (!err && out->failed)
        err = err_because(ERR_INVALID, "%s is no manifest of a backup: it is too long", path);
    return err;
}

static enum err parse(const char *path, struct text text, struct arena *arena, struct content *content)
{
    struct json_document *document;
    struct json_faults faults = {.count = 0};
    enum err err = json_parse(text, &document);
    if (err == ERR_MALFORMED)
        return err_because(ERR_INVALID, "%s is no manifest of a backup: %.300s", path, err_cause());
    if (err)
        return err;
    err = json_read_lenient(document, fields, arena, content, &faults);
    json_free(document);
    if (err == ERR_INVALID && faults.count > 0)
        err_because(err, "%s is no manifest of a backup that this program knows: %.*s %s", path,
                    TEXT_ARGS(faults.list[0].pointer), faults.list[0].reason);
    return err;
}

static enum err compare(const char *folder, const struct manifest_file *file)
{
    char path[PATH_SIZE], name[65], digest[TOKEN_DIGEST_SIZE];
    int64_t bytes = 0;
    snprintf(name, sizeof name, "%.*s", TEXT_ARGS(file->name));
    if (strchr(name, '/'))
        return err_because(ERR_INVALID, "the manifest names \"%s\", which is not a file of its folder", name);
    enum err err = digest_file(path_in(folder, name, path), digest, &bytes);
    if (err == ERR_NOT_FOUND)
        return err_because(ERR_INVALID, "the backup is not whole: %s is missing", path);
    if (!err && (bytes != file->bytes || !text_equal_string(file->sha256, digest)))
        return err_because(ERR_INVALID, "the backup is not whole: %s is not what it was when it was made", path);
    return err;
}

enum err manifest_read(const char *folder, struct arena *arena, struct manifest *ret)
{
    char path[PATH_SIZE];
    struct content content = {.format = 0};
    struct buf text;
    buf_init(&text, MANIFEST_MAX_BYTES);
    enum err err = read_whole(path_in(folder, NAME, path), &text);
    if (!err)
        err = parse(path, buf_text(&text), arena, &content);
    buf_fini(&text);
    struct manifest manifest = {content.created_at, content.files.elements, content.files.count};
    for (size_t i = 0; i < manifest.count && !err; i++)
        err = compare(folder, &manifest.files[i]);
    if (!err)
        *ret = manifest;
    return err;
}

const struct manifest_file *manifest_find(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++)
        if (text_equal_string(manifest->files[i].name, name))
            return &manifest->files[i];
    return NULL;
}
