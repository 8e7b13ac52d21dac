/*
 * Fills in the templates of etc/: @NAME@ becomes its value.
 */
#ifndef TANDEM_CHECK_HARNESS_TEMPLATE_H
#define TANDEM_CHECK_HARNESS_TEMPLATE_H

#include "base/err.h"

struct template_value {
    const char *name, *value;
};

/** Copies the files of a folder: those that end with .in filled in (and without .in), the others as they are. values
 *  ends with a row whose name is NULL. ERR_IO; ERR_CONFIG for a @NAME@ without a value. */
enum err must_check template_folder(const char *from, const char *to, const struct template_value *values);

#endif
