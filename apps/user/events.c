#include "config.h"

#include "app/auth.h"
#include "app/service.h"
#include "apps/user/events.h"
#include "base/json_write.h"

enum { DATA_MAX = 512 };

static enum err emit(struct call *call, const char *type, struct text user_id, const char *token_digest)
{
    struct json_writer writer;
    struct buf data;
    buf_init(&data, DATA_MAX);
    json_writer_init(&writer, &data);
    json_object_begin(&writer);
    json_member_text(&writer, "user_id", user_id);
    if (token_digest)
        json_member_string(&writer, "token_digest", token_digest);
    json_object_end(&writer);
    enum err err = buf_check(&data);
    if (!err)
        err = call_emit(call, type, user_id, buf_text(&data));
    buf_fini(&data);
    return err;
}

enum err user_session_ended(struct call *call, const char *user_id, const char *token_digest)
{
    return emit(call, AUTH_SESSION_ENDED, text_of(user_id), token_digest);
}

enum err user_access_changed(struct call *call, struct text user_id)
{
    return emit(call, AUTH_ACCESS_CHANGED, user_id, NULL);
}
