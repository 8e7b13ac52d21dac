#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "check/harness/authority.h"
#include "check/harness/process.h"

enum { COMMAND_SIZE = 2048 };

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "

const char *authority_lacks(void)
{
    return access("/usr/bin/openssl", X_OK) < 0 ? "openssl is not installed (Debian: openssl)" : NULL;
}

static enum err run(const char *folder, const char *command)
{
    char log[AUTHORITY_PATH_SIZE];
    const char *const argv[] = {"sh", "-c", command, NULL};
    snprintf(log, sizeof log, "%.200s/openssl.log", folder);
    return process_run(argv, log);
}

enum err authority_make(const char *folder, const char *name, struct authority *ret)
{
    char command[COMMAND_SIZE];
    struct authority authority;
    snprintf(authority.folder, sizeof authority.folder, "%.120s/%.64s", folder, name);
    snprintf(authority.certificate, sizeof authority.certificate, "%.200s/ca.pem", authority.folder);
    snprintf(command, sizeof command,
             "set -e; umask 077; mkdir %s; cd %s; openssl req -x509 " NEW_KEY "-days 2 -subj '/CN=authority %s' "
             "-keyout ca.key -out ca.pem", authority.folder, authority.folder, name);
    enum err err = run(folder, command);
    if (!err)
        *ret = authority;
    return err;
}

enum err authority_sign(const struct authority *authority, const char *name, const char *names, int days,
                        struct certificate *ret)
{
    char command[COMMAND_SIZE];
    struct certificate certificate;
    snprintf(certificate.file, sizeof certificate.file, "%.180s/%.64s.pem", authority->folder, name);
    snprintf(certificate.key, sizeof certificate.key, "%.180s/%.64s.key", authority->folder, name);
    snprintf(command, sizeof command,
             "set -e; umask 077; cd %s; openssl req " NEW_KEY "-subj /CN=%s -keyout %s.key -out %s.csr; "
             "echo 'subjectAltName=%s' > %s.names; openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key "
             "-CAcreateserial -days %d -extfile %s.names -out %s.pem",
             authority->folder, name, name, name, names, name, name, days, name, name);
    enum err err = run(authority->folder, command);
    if (!err)
        *ret = certificate;
    return err;
}
