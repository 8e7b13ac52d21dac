/* conf keygen, sign and verify: signatures of settings files, in minisign's format (conf/signature.h). */
#include "config.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/secret.h"
#include "conf/secret_file.h"
#include "conf/signature_make.h"
#include "conf/source.h"

enum { PATH_SIZE = 4096, OUT_MAX = 32 * 1024, COMMENT_MAX = 1024, SECRET_READ_MAX = 2048 };

/* Whole or not at all, and readable as the umask says: what is written here is public. */
static enum err write_public(const char *path, const struct buf *content)
{
    char staged[PATH_SIZE];
    if ((size_t)snprintf(staged, sizeof staged, "%s.new", path) >= sizeof staged)
        return err_because(ERR_INVALID, "the path is too long");
    FILE *file = fopen(staged, "we");
    if (!file)
        return err_because(ERR_IO, "make %s: %s", staged, strerror(errno));
    bool whole = fwrite(content->data, 1, content->length, file) == content->length && fflush(file) == 0 &&
                 fsync(fileno(file)) == 0;
    whole = fclose(file) == 0 && whole;
    if (whole && rename(staged, path) == 0)
        return ERR_NONE;
    enum err err = err_because(ERR_IO, "write %s: %s", path, strerror(errno));
    unlink(staged);
    return err;
}

static void erase(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->capacity);
    buf_fini(buf);
}

/* ---- conf keygen ---- */

static enum err check_absent(const char *path)
{
    return access(path, F_OK) == 0 ? err_because(ERR_CONFLICT, "%s is there already; keys are not overwritten", path)
                                   : ERR_NONE;
}

/* The secret first: a public key whose secret could not be kept is of no use. */
static enum err write_pair(const char *public_path, const char *secret_path, const struct buf *public_content,
                           const struct buf *secret_content)
{
    struct text secret = buf_text(secret_content);
    struct secret_file staged;
    secret.length--;   /* the end of the line is added */
    enum err err = secret_stage(secret_path, secret_of(secret), &staged);
    if (err)
        return err;
    err = write_public(public_path, public_content);
    if (err)
        secret_drop(&staged);
    return err ? err : secret_publish(&staged);
}

int command_conf_keygen(const struct invocation *invocation)
{
    const char *public_path = invocation_value(invocation, "public-key");
    const char *secret_path = invocation_value(invocation, "secret-key");
    struct signature_key key;
    struct signature_secret secret;
    struct buf public_content, secret_content;
    char id[SIGNATURE_ID_SIZE];
    buf_init(&public_content, OUT_MAX);
    buf_init(&secret_content, OUT_MAX);
    enum err err = check_absent(public_path);
    if (!err)
        err = check_absent(secret_path);
    if (!err) {
        signature_new(&key, &secret);
        signature_key_write(&key, &public_content);
        signature_secret_write(&secret, &secret_content);
        sodium_memzero(&secret, sizeof secret);
        err = buf_check(&public_content);
    }
    if (!err)
        err = buf_check(&secret_content);
    if (!err)
        err = write_pair(public_path, secret_path, &public_content, &secret_content);
    if (!err)
        printf("%s\n", signature_id(key.id, id));
    buf_fini(&public_content);
    erase(&secret_content);
    return err ? invocation_failure("%s", err_cause()) : EXIT_SUCCESS;
}

/* ---- conf sign ---- */

static enum err read_secret(const char *path, struct signature_secret *ret)
{
    struct buf content;
    buf_init(&content, SECRET_READ_MAX);
    enum err err = secret_file_read(path, &content);
    if (!err && signature_secret_parse(buf_text(&content), ret) != ERR_NONE)
        err = err_because(ERR_INVALID, "%s: %s", path, err_cause());
    erase(&content);
    return err;
}

/* Of the form that minisign makes, unless one was given. */
static struct text comment_of(const char *given, const char *path, char out[static COMMENT_MAX])
{
    const char *slash = strrchr(path, '/');
    if (given)
        return text_of(given);
    snprintf(out, COMMENT_MAX, "timestamp:%lld\tfile:%s\thashed", (long long)time(NULL), slash ? slash + 1 : path);
    return text_of(out);
}

static enum err sign_file(const struct signature_secret *secret, const char *given, const char *path)
{
    char comment[COMMENT_MAX], signature_path[PATH_SIZE];
    struct buf content, signature;
    buf_init(&signature, OUT_MAX);
    snprintf(signature_path, sizeof signature_path, "%s" SIGNATURE_SUFFIX, path);
    enum err err = source_read(path, NULL, &content);
    if (err)
        err = err_because(err, "%s: %s", path, err_cause());
    else
        err = signature_sign(secret, buf_text(&content), comment_of(given, path, comment), &signature);
    if (!err)
        err = write_public(signature_path, &signature);
    buf_fini(&content);
    buf_fini(&signature);
    return err;
}

int command_conf_sign(const struct invocation *invocation)
{
    struct signature_secret secret;
    enum err err = read_secret(invocation_value(invocation, "secret-key"), &secret);
    for (size_t i = 0; !err && i < invocation->operand_count; i++)
        err = sign_file(&secret, invocation_value(invocation, "comment"), invocation->operands[i]);
    sodium_memzero(&secret, sizeof secret);
    return err ? invocation_failure("%s", err_cause()) : EXIT_SUCCESS;
}

/* ---- conf verify ---- */

int command_conf_verify(const struct invocation *invocation)
{
    const char *path = invocation_value(invocation, "public-key");
    struct signature_key key;
    int status = EXIT_SUCCESS;
    if (signature_key_read(path, &key) != ERR_NONE)
        return invocation_failure("%s: %s", path, err_cause());
    for (size_t i = 0; i < invocation->operand_count; i++) {
        struct buf content;
        if (source_read(invocation->operands[i], &key, &content) == ERR_NONE)
            printf("%s: signed\n", invocation->operands[i]);
        else
            status = invocation_failure("%s: %s", invocation->operands[i], err_cause());
        buf_fini(&content);
    }
    return status;
}
