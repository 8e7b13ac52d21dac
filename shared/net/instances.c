#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "net/instances.h"

enum { PORT_MAX = 65535, SOCKET_PATH_SIZE = sizeof ((struct sockaddr_un *)NULL)->sun_path };

/* ---- one ---- */

static bool put(struct text text, char *out, size_t size)
{
    if (text.length >= size)
        return false;
    snprintf(out, size, "%.*s", TEXT_ARGS(text));
    return true;
}

static enum err put_number(struct text text, int64_t least, int64_t most, unsigned *ret)
{
    int64_t number;
    if (text_to_int(text, &number) || number < least || number > most)
        return err_because(ERR_INVALID, "\"%.*s\" is no number from %lld to %lld", TEXT_ARGS(text), (long long)least,
                           (long long)most);
    *ret = (unsigned)number;
    return ERR_NONE;
}

/* "10.0.0.7:8080", "[fd00::7]:8080" */
static enum err read_place(struct text place, struct instance *ret)
{
    struct text address = place, port = TEXT_NONE;
    bool is_bracketed = place.length > 0 && place.at[0] == '[';
    if (is_bracketed) {
        port = (struct text){place.at + 1, place.length - 1};
        address = text_split(&port, ']');
        is_bracketed = port.at && port.length > 0 && port.at[0] == ':';
        port = is_bracketed ? (struct text){port.at + 1, port.length - 1} : TEXT_NONE;
    } else {
        port = place;
        address = text_split(&port, ':');
    }
    if (!port.at || !put(address, ret->address, sizeof ret->address))
        return err_because(ERR_INVALID, "\"%.*s\" is no ADDRESS:PORT", TEXT_ARGS(place));
    return put_number(port, 1, PORT_MAX, &ret->port);
}

static enum err read_url(struct text url, struct instance *ret)
{
    struct text rest = url, scheme = text_split(&rest, ':');
    if (!rest.at || !put(scheme, ret->scheme, sizeof ret->scheme))
        return err_because(ERR_INVALID, "\"%.*s\" is no http, https or fcgi URL", TEXT_ARGS(url));
    if (text_starts(rest, TEXT("//")))
        return read_place((struct text){rest.at + 2, rest.length - 2}, ret);
    if (!text_starts(rest, TEXT("/")) || !put(rest, ret->address, sizeof ret->address))
        return err_because(ERR_INVALID, "\"%.*s\" names no place", TEXT_ARGS(url));
    return ERR_NONE;
}

static enum err read_note(struct text note, struct instance *ret)
{
    struct text value = note, name = text_split(&value, '=');
    const struct {
        struct text name;
        char *out;
        size_t size;
    } notes[] = {
        {TEXT("id"), ret->id, sizeof ret->id},
        {TEXT("version"), ret->version, sizeof ret->version},
        {TEXT("zone"), ret->zone, sizeof ret->zone},
    };
    if (text_equal(name, TEXT("weight")))
        return put_number(value, 1, INSTANCE_WEIGHT_MAX, &ret->weight);
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
        if (value.length > 0 && text_equal(name, notes[i].name) && put(value, notes[i].out, notes[i].size))
            return ERR_NONE;
    return err_because(ERR_INVALID, "\"%.*s\" is no weight, zone, version or id", TEXT_ARGS(note));
}

enum err instance_read(struct text text, struct instance *ret)
{
    struct instance instance = {.weight = INSTANCE_WEIGHT};
    struct text rest = text, url = text_split(&rest, ';');
    enum err err = read_url(url, &instance);
    while (!err && rest.at)
        err = read_note(text_split(&rest, ';'), &instance);
    if (!err && !*instance.id && !put(url, instance.id, sizeof instance.id))
        err = err_because(ERR_INVALID, "\"%.*s\" is too long to be an id; give it one", TEXT_ARGS(url));
    if (!err)
        err = instance_check(&instance);
    if (!err)
        *ret = instance;
    return err;
}

/* Addresses and ids end up in URLs, in paths of registries and in files of web servers. */
static bool is_plain(const char *word)
{
    return *word && text_is_visible_ascii(text_of(word)) && !strpbrk(word, "\"'\\;{}$#<>`");
}

enum err instance_check(const struct instance *instance)
{
    bool is_fcgi = strcmp(instance->scheme, "fcgi") == 0, is_path = instance->address[0] == '/';
    if (!is_fcgi && !instance_is_http(instance))
        return err_because(ERR_INVALID, "\"%s\" is none of http, https and fcgi", instance->scheme);
    if (!is_plain(instance->address) || (is_path && (!is_fcgi || strlen(instance->address) >= SOCKET_PATH_SIZE)) ||
        (!is_path && strpbrk(instance->address, "/?@%[]")))
        return err_because(ERR_INVALID, "\"%s\" is no address of a host or of a socket", instance->address);
    if (is_path ? instance->port != 0 : instance->port < 1 || instance->port > PORT_MAX)
        return err_because(ERR_INVALID, "%u is no port of %s", instance->port, instance->address);
    if (!is_plain(instance->id))
        return err_because(ERR_INVALID, "\"%s\" is no id", instance->id);
    if ((*instance->version && !is_plain(instance->version)) || (*instance->zone && !is_plain(instance->zone)))
        return err_because(ERR_INVALID, "\"%s\" or \"%s\" is no word", instance->version, instance->zone);
    if (instance->weight < 1 || instance->weight > INSTANCE_WEIGHT_MAX)
        return err_because(ERR_INVALID, "%u is no weight", instance->weight);
    return ERR_NONE;
}

char *instance_url(const struct instance *instance, char out[static INSTANCE_URL_SIZE])
{
    bool has_colon = strchr(instance->address, ':') != NULL;
    if (instance->address[0] == '/')
        snprintf(out, INSTANCE_URL_SIZE, "%s:%s", instance->scheme, instance->address);
    else
        snprintf(out, INSTANCE_URL_SIZE, "%s://%s%s%s:%u", instance->scheme, has_colon ? "[" : "", instance->address,
                 has_colon ? "]" : "", instance->port);
    return out;
}

bool instance_is_http(const struct instance *instance)
{
    return strcmp(instance->scheme, "http") == 0 || strcmp(instance->scheme, "https") == 0;
}

bool instance_equal(const struct instance *a, const struct instance *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->scheme, b->scheme) == 0 && strcmp(a->address, b->address) == 0 &&
           a->port == b->port && a->weight == b->weight && strcmp(a->version, b->version) == 0 &&
           strcmp(a->zone, b->zone) == 0;
}

/* ---- many ---- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct instance *)a)->id, ((const struct instance *)b)->id);
}

static bool has_id(const struct instances *instances, const char *id)
{
    for (size_t i = 0; i < instances->count; i++)
        if (strcmp(instances->list[i].id, id) == 0)
            return true;
    return false;
}

enum err instances_new(const struct instance *list, size_t count, struct instances **ret)
{
    size_t most = count < INSTANCES_MAX ? count : INSTANCES_MAX;
    struct instances *instances = malloc(sizeof *instances + most * sizeof instances->list[0]);
    if (!instances)
        return err_because(ERR_MEMORY, "no memory for %zu instances", most);
    atomic_init(&instances->references, 1);
    instances->count = 0;
    for (size_t i = 0; i < most; i++)
        if (!has_id(instances, list[i].id))
            instances->list[instances->count++] = list[i];
    qsort(instances->list, instances->count, sizeof instances->list[0], by_id);
    *ret = instances;
    return ERR_NONE;
}

struct instances *instances_ref(struct instances *instances)
{
    atomic_fetch_add_explicit(&instances->references, 1, memory_order_relaxed);
    return instances;
}

void instances_unref(struct instances *instances)
{
    if (instances && atomic_fetch_sub_explicit(&instances->references, 1, memory_order_acq_rel) == 1)
        free(instances);
}

bool instances_equal(const struct instances *a, const struct instances *b)
{
    size_t a_count = a ? a->count : 0, b_count = b ? b->count : 0;
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!instance_equal(&a->list[i], &b->list[i]))
            return false;
    return true;
}
