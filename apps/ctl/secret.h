/*
 * Secrets in and out: a password from the terminal or from a file, a token to a file. Never an argument, which every
 * user of the machine can read in the list of processes.
 */
#ifndef TANDEM_APPS_CTL_SECRET_H
#define TANDEM_APPS_CTL_SECRET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

/** Asks twice on the terminal, with echo off. ERR_IO when there is no terminal, ERR_INVALID when the two differ. out is
 *  init'ed by the caller; its ceiling is the longest password. */
enum err must_check secret_ask(const char *prompt, struct buf *out);

/** The file's first line. ERR_IO; ERR_FORBIDDEN when others may read it, or its group may write it; ERR_INVALID when it
 *  is empty or longer than out's ceiling. */
enum err must_check secret_read(const char *path, struct buf *out);

/**
 * Puts a secret in place of whatever is at path, with mode 0600: whole or not at all, also after a power cut. Made in
 * two steps, so that what the secret opens can be committed between them: secret_stage() writes it beside path, and
 * secret_publish() gives it the name; secret_drop() forgets a staged one.
 */
struct secret_file {
    char path[4096], staged[4096 + 8];
};
enum err must_check secret_stage(const char *path, struct secret secret, struct secret_file *ret);
enum err must_check secret_publish(const struct secret_file *file);
void secret_drop(const struct secret_file *file);

#endif
