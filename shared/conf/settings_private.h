/* What settings.c and the reader of files share. */
#ifndef TANDEM_CONF_SETTINGS_PRIVATE_H
#define TANDEM_CONF_SETTINGS_PRIVATE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/option.h"
#include "conf/settings.h"

enum settings_layer { LAYER_DEFAULT, LAYER_FILE, LAYER_SERVICE, LAYER_ENVIRONMENT, LAYER_ARGUMENT };

struct settings_value {
    union option_value value;
    enum settings_layer layer;
    const char *origin;      /* the file, the environment variable, or NULL */
    unsigned line;           /* of the file */
};

struct settings {
    atomic_uint references;
    struct arena arena;
    struct settings_value values[];   /* by index in the option table */
};

/** Applies a libconfig file; each fault is a line in faults. Values under service.NAME win over the others. */
enum err must_check settings_read_file(struct settings *settings, const char *file, const char *service,
                                       struct buf *faults);

#endif
