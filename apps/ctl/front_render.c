#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/ctl/front_render.h"

enum { PATH_SIZE = 4096, FILE_MAX_BYTES = 1024 * 1024, ADDRESS_TEXT_SIZE = INSTANCE_URL_SIZE };

const char *front_name(enum front_kind kind)
{
    static const char *const names[FRONT_KINDS] = {[FRONT_NGINX] = "nginx", [FRONT_LIGHTTPD] = "lighttpd"};
    return names[kind];
}

/* ---- places: each once ---- */

static bool is_same_place(const struct instance *a, const struct instance *b)
{
    return strcmp(a->address, b->address) == 0 && a->port == b->port;
}

static bool takes_fastcgi(const struct instance *instance)
{
    return strcmp(instance->scheme, "fcgi") == 0;
}

/* The weight of all at the place of this one; 0 when an earlier one stands for it. */
static unsigned weight_at(const struct instances *instances, size_t at)
{
    const struct instance *place = &instances->list[at];
    unsigned weight = 0;
    if (!takes_fastcgi(place))
        return 0;
    for (size_t i = 0; i < instances->count; i++) {
        const struct instance *other = &instances->list[i];
        if (!takes_fastcgi(other) || !is_same_place(place, other))
            continue;
        if (i < at)
            return 0;
        weight += other->weight;
    }
    return weight;
}

static const char *address_of(const struct instance *instance, char out[static ADDRESS_TEXT_SIZE])
{
    bool is_six = strchr(instance->address, ':') != NULL;
    if (instance->address[0] == '/')
        snprintf(out, ADDRESS_TEXT_SIZE, "unix:%s", instance->address);
    else
        snprintf(out, ADDRESS_TEXT_SIZE, "%s%s%s:%u", is_six ? "[" : "", instance->address, is_six ? "]" : "",
                 instance->port);
    return out;
}

static size_t count_places(const struct front_service *service)
{
    size_t count = 0;
    for (size_t i = 0; service->instances && i < service->instances->count; i++)
        count += weight_at(service->instances, i) > 0;
    return count;
}

/* ---- nginx ---- */

/* One that fails is left out by nginx for a moment, as long as there are others; of one alone there is no use in that.
 * Numbers as in etc/nginx/tandem.conf. */
static void render_upstream(const struct front_service *service, struct buf *out)
{
    char address[ADDRESS_TEXT_SIZE];
    size_t count = count_places(service);
    buf_addf(out, "upstream tandem_%s {\n", service->name);
    for (size_t i = 0; service->instances && i < service->instances->count; i++) {
        unsigned weight = weight_at(service->instances, i);
        if (weight > 0)
            buf_addf(out, "    server %s weight=%u %s;\n", address_of(&service->instances->list[i], address), weight,
                     count > 1 ? "max_fails=1 fail_timeout=1s" : "max_fails=0");
    }
    if (count == 0)
        buf_add_string(out, "    server 127.0.0.1:1 down;\n");
    buf_add_string(out, "    keepalive 1024;\n    keepalive_requests 1000000;\n    keepalive_timeout 45s;\n}\n\n");
}

/* ---- lighttpd ---- */

/* Whose paths are whose, as in etc/lighttpd/tandem.conf. */
static const struct {
    const char *service, *path;
} routes[] = {
    {"user", "/v1/users"},   {"user", "/v1/sessions"},  {"user", "/user/"},
    {"order", "/v1/orders"}, {"order", "/v1/payments"}, {"order", "/order/"},
    {"inventory", "/v1/items"}, {"inventory", "/inventory/"},
};

static void render_host(const struct instance *instance, struct buf *out)
{
    buf_add_string(out, "        (");
    if (instance->address[0] == '/')
        buf_addf(out, "\"socket\" => \"%s\"", instance->address);
    else
        buf_addf(out, "\"host\" => \"%s\", \"port\" => %u", instance->address, instance->port);
    buf_add_string(out, ", \"check-local\" => \"disable\", \"x-sendfile\" => \"disable\",\n"
                        "         \"disable-time\" => 1, \"connect-timeout\" => 5, \"read-timeout\" => 60, "
                        "\"write-timeout\" => 15),\n");
}

/* lighttpd has no weights: it takes the one with the fewest requests under way. */
static void render_route(const char *path, const struct front_service *service, struct buf *out)
{
    static const struct instance nobody = {.scheme = "fcgi", .address = "127.0.0.1", .port = 1};
    buf_addf(out, "    \"%s\" => (\n", path);
    for (size_t i = 0; service->instances && i < service->instances->count; i++)
        if (weight_at(service->instances, i) > 0)
            render_host(&service->instances->list[i], out);
    if (count_places(service) == 0)
        render_host(&nobody, out);
    buf_add_string(out, "    ),\n");
}

static void render_routes(const struct front_service *services, size_t count, struct buf *out)
{
    buf_add_string(out, "fastcgi.balance = \"least-connection\"\nfastcgi.server = (\n");
    for (size_t r = 0; r < sizeof routes / sizeof routes[0]; r++)
        for (size_t i = 0; i < count; i++)
            if (strcmp(services[i].name, routes[r].service) == 0)
                render_route(routes[r].path, &services[i], out);
    buf_add_string(out, ")\n");
}

void front_render(enum front_kind kind, const struct front_service *services, size_t count, struct buf *out)
{
    buf_add_string(out, "# Made by tandemctl front render; what is changed here is lost.\n\n");
    if (kind == FRONT_LIGHTTPD) {
        render_routes(services, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++)
        render_upstream(&services[i], out);
}

/* ---- the file ---- */

static bool is_there(const char *path, struct text content)
{
    FILE *file = fopen(path, "r");
    struct buf found;
    char bytes[4096];
    size_t length;
    if (!file)
        return false;
    buf_init(&found, FILE_MAX_BYTES);
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0)
        buf_add(&found, bytes, length);
    bool is_same = !ferror(file) && buf_check(&found) == ERR_NONE && text_equal(buf_text(&found), content);
    buf_fini(&found);
    fclose(file);
    return is_same;
}

static enum err write_beside(const char *path, struct text content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_because(ERR_IO, "%s: %s", path, strerror(errno));
    ssize_t written = write(fd, content.at, content.length);
    bool is_whole = written == (ssize_t)content.length && fsync(fd) == 0;
    int fault = errno;
    close(fd);
    return is_whole ? ERR_NONE : err_because(ERR_IO, "%s: %s", path, strerror(fault));
}

enum err front_write(const char *path, struct text content, bool *ret_changed)
{
    char beside[PATH_SIZE];
    if (is_there(path, content)) {
        *ret_changed = false;
        return ERR_NONE;
    }
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return err_because(ERR_IO, "%.64s…: the path is too long", path);
    enum err err = write_beside(beside, content);
    if (!err && rename(beside, path) < 0)
        err = err_because(ERR_IO, "%s: %s", path, strerror(errno));
    if (err)
        unlink(beside);
    else
        *ret_changed = true;
    return err;
}
