#include "config.h"

#include <string.h>

#include "base/json_write.h"
#include "telemetry/log_head.h"
#include "telemetry/log_line.h"

void log_head_format(const struct log_what *what, const char *service, const char *instance, struct buf *out)
{
    struct json_writer writer;

    json_writer_init(&writer, out);
    json_object_begin(&writer);
    if (!out->failed)
        out->data[0] = ',';            /* in place of the brace */
    json_member_string(&writer, "level", log_level_name(what->level));
    if (service)
        json_member_string(&writer, "service", service);
    if (instance)
        json_member_string(&writer, "instance", instance);
    json_member_text(&writer, "msg", log_value(text_of(what->message)));
    json_member_string(&writer, "module", log_module_name(what->module));
}

struct log_head *log_head_find(struct log_heads *heads, const struct log_what *what, unsigned generation)
{
    struct log_head *head = &heads->all[((uintptr_t)what->message >> 3) % LOG_HEADS];

    if (head->message != what->message || head->module != what->module || head->level != what->level ||
        head->generation != generation)
        head->length = 0;
    return head;
}

void log_head_keep(struct log_head *head, const struct log_what *what, unsigned generation, struct text members)
{
    if (members.length > sizeof head->at)
        return;
    head->message = what->message;
    head->module = what->module;
    head->level = what->level;
    head->generation = generation;
    head->length = members.length;
    memcpy(head->at, members.at, members.length);
}
