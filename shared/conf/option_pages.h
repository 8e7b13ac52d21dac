/*
 * What people read about options, written from the option table: the manual page and the sample file.
 */
#ifndef TANDEM_CONF_OPTION_PAGES_H
#define TANDEM_CONF_OPTION_PAGES_H

#include "base/buf.h"

/** tandem.conf(5), in mdoc. */
void option_manual(struct buf *out);

/** A settings file that holds every option with its default, commented out; of an environment ("dev", "staging",
 *  "prod"; NULL for none) with what is different there. */
void option_sample(const char *environment, struct buf *out);

/** Of it, the section on faults on demand. */
void option_manual_faults(struct buf *out);

#endif
