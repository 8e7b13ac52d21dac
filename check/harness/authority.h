/*
 * Certificates for a test: an authority of its own, and what it has signed, made by openssl(1) in a folder of the test.
 */
#ifndef TANDEM_CHECK_HARNESS_AUTHORITY_H
#define TANDEM_CHECK_HARNESS_AUTHORITY_H

#include "base/err.h"

enum { AUTHORITY_PATH_SIZE = 256 };

struct authority {
    char folder[AUTHORITY_PATH_SIZE], certificate[AUTHORITY_PATH_SIZE];
};

struct certificate {
    char file[AUTHORITY_PATH_SIZE], key[AUTHORITY_PATH_SIZE];
};

/** Why there can be none on this machine, a constant; NULL: there can. */
const char *authority_lacks(void);

/** Its files go into a new folder, NAME in this one. ERR_IO, ERR_INTERNAL. */
enum err must_check authority_make(const char *folder, const char *name, struct authority *ret);

/** A certificate for whoever is asked for by one of these names ("IP:127.0.0.1,DNS:localhost"), on either side of a
 *  connection, for so many days; a negative number has it end in the past. Its files are called by name. */
enum err must_check authority_sign(const struct authority *authority, const char *name, const char *names, int days,
                                   struct certificate *ret);

#endif
