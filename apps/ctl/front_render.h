/*
 * What a web server is to know of the instances of the services: its upstream lists, as a file that it includes.
 *
 * Pure functions but for front_write().
 */
#ifndef TANDEM_APPS_CTL_FRONT_RENDER_H
#define TANDEM_APPS_CTL_FRONT_RENDER_H

#include "base/buf.h"
#include "net/instances.h"

enum front_kind { FRONT_NGINX, FRONT_LIGHTTPD, FRONT_KINDS };

/* A service, and where it takes FastCGI: those instances whose scheme is fcgi. */
struct front_service {
    const char *name;
    struct instances *instances;       /* NULL: none */
};

/** "nginx", "lighttpd". */
const char *front_name(enum front_kind kind);

/**
 * Writes the file. nginx: an upstream block tandem_NAME a service. lighttpd: the fastcgi.server of all their paths. An
 * address that several instances have, as processes behind one socket do, is named once, with their weights together.
 * A service without instances has one that refuses, so that the server can start and answers 502 for it. Whether it
 * fitted is asked of out.
 */
void front_render(enum front_kind kind, const struct front_service *services, size_t count, struct buf *out);

/** Puts it in place of path, whole or not at all; *ret_changed says whether it was another. ERR_IO. */
enum err must_check front_write(const char *path, struct text content, bool *ret_changed);

#endif
