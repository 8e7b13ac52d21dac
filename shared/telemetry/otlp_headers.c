#include "config.h"

#include <sodium.h>
#include <string.h>

#include "telemetry/otlp_headers.h"

/* What the exporter says itself. */
static const struct text ours[] = {
    TEXT("Content-Type"), TEXT("Content-Length"), TEXT("Content-Encoding"), TEXT("Transfer-Encoding"), TEXT("Expect"),
    TEXT("Connection"), TEXT("Host"),
};

/* RFC 9110, 5.6.2 */
static bool is_token(struct text name)
{
    static const char letters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < name.length; i++) {
        if (!memchr(letters, name.at[i], sizeof letters - 1))
            return false;
    }
    return name.length > 0;
}

static bool is_ours(struct text name)
{
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (text_equal_nocase(name, ours[i]))
            return true;
    }
    return false;
}

static bool is_value(struct text value)
{
    for (size_t i = 0; i < value.length; i++) {
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return false;
    }
    return value.length > 0;
}

/* line: room for what becomes "name: value". */
static enum err read_pair(struct text pair, enum otlp_headers_form form, unsigned place,
                          char line[static OTLP_HEADER_MAX_BYTES + 4])
{
    struct text value = pair;
    struct text name = text_trim(text_split(&value, '='));
    value = text_trim(value);
    if (!value.at)
        return err_because(ERR_CONFIG, "header %u is not written as name=value", place);
    if (pair.length > OTLP_HEADER_MAX_BYTES)
        return err_because(ERR_CONFIG, "header %u is longer than %d bytes", place, OTLP_HEADER_MAX_BYTES);
    if (!is_token(name))
        return err_because(ERR_CONFIG, "header %u has a name that no header can have", place);
    if (is_ours(name))
        return err_because(ERR_CONFIG, "header %u (%.*s) is set by the exporter itself", place, TEXT_ARGS(name));
    memcpy(line, name.at, name.length);
    memcpy(line + name.length, ": ", 2);
    char *at = line + name.length + 2;
    size_t length = value.length;
    if (form == OTLP_HEADERS_LIST && text_percent_decode(value, false, at, &length) != ERR_NONE)
        return err_because(ERR_CONFIG, "header %u is not percent-encoded as it should be", place);
    if (form == OTLP_HEADERS_LINES)
        memcpy(at, value.at, length);
    at[length] = '\0';
    if (!is_value((struct text){at, length}))
        return err_because(ERR_CONFIG, "header %u has no value, or one with a control character", place);
    return ERR_NONE;
}

static enum err append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return err_because(ERR_MEMORY, "no memory for header fields");
    *list = longer;
    return ERR_NONE;
}

static bool is_nothing(struct text pair, enum otlp_headers_form form)
{
    return pair.length == 0 || (form == OTLP_HEADERS_LINES && pair.at[0] == '#');
}

enum err otlp_headers_read(struct secret headers, enum otlp_headers_form form, struct curl_slist **list)
{
    char line[OTLP_HEADER_MAX_BYTES + 4];
    struct text rest = secret_reveal(headers);
    unsigned place = 0;
    enum err err = ERR_NONE;
    while (!err && rest.at) {
        struct text pair = text_split(&rest, form == OTLP_HEADERS_LINES ? '\n' : ',');
        if (pair.length > 0 && pair.at[pair.length - 1] == '\r')
            pair.length--;
        pair = text_trim(pair);
        if (is_nothing(pair, form))
            continue;
        err = ++place > OTLP_HEADERS_MAX ? err_because(ERR_CONFIG, "there are more than %d headers", OTLP_HEADERS_MAX)
                                         : read_pair(pair, form, place, line);
        if (!err)
            err = append(list, line);
    }
    sodium_memzero(line, sizeof line);
    return err;
}

enum err otlp_exporter_check_headers(struct secret headers, enum otlp_headers_form form)
{
    struct curl_slist *list = NULL;
    enum err err = otlp_headers_read(headers, form, &list);
    otlp_headers_free(list);
    return err;
}

enum err otlp_headers_add(struct curl_slist **list, const char *name, const char *value)
{
    struct buf line;
    buf_init(&line, OTLP_HEADER_MAX_BYTES);
    buf_addf(&line, "%s:%s%s", name, *value ? " " : "", value);
    const char *string = buf_string(&line);
    enum err err = buf_check(&line) ? err_because(ERR_MEMORY, "no memory for header fields") : append(list, string);
    buf_fini(&line);
    return err;
}

void otlp_headers_free(struct curl_slist *list)
{
    for (struct curl_slist *each = list; each; each = each->next)
        sodium_memzero(each->data, strlen(each->data));
    curl_slist_free_all(list);
}
