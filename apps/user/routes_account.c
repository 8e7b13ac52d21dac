#include "config.h"

#include <stdio.h>

#include "apps/user/account.h"
#include "apps/user/events.h"
#include "apps/user/routes.h"
#include "apps/user/store.h"
#include "base/clock.h"

static void write_account(struct json_writer *writer, const struct account *account)
{
    json_object_begin(writer);
    json_member_text(writer, "id", account->id);
    json_member_text(writer, "email", account->email);
    json_member_text(writer, "name", account->name);
    json_member_string(writer, "role", role_name(account->role));
    json_member_string(writer, "status", account_status_name(account));
    json_member_time(writer, "created_at", account->created_us);
    json_member_time(writer, "updated_at", account->updated_us);
    json_member_integer(writer, "version", account->version);
    json_object_end(writer);
}

static void respond_account(struct call *call, int status, const struct account *account)
{
    struct json_writer writer;
    call_header(call, "ETag", "\"%lld\"", (long long)account->version);
    call_header(call, "Cache-Control", "private, no-cache");
    if (http_status_bodiless(status)) {
        call_empty(call, status);
        return;
    }
    call_json(call, status, &writer);
    write_account(&writer, account);
}

static enum err refuse_taken(struct call *call)
{
    return call_refuse(call, ERR_CONFLICT, "email-taken", "This e-mail address has an account already.");
}

static enum err refuse_last_admin(struct call *call)
{
    return call_refuse(call, ERR_CONFLICT, "last-admin", "This is the last active admin; make another one first.");
}

/* ---- POST /v1/users ---- */

enum err registration_check(struct call *call)
{
    const struct registration_input *input = call->input;
    unsigned min = (unsigned)call_setting(call, OPTION_PASSWORD_MIN_LENGTH);
    const char *fault = account_password_fault(input->password, min, call_arena(call));
    return fault ? call_fault(call, "/password", fault) : ERR_NONE;
}

/* The length keeps the end of the one from being taken for the beginning of the other. */
void registration_likeness(const struct call *call, struct buf *out)
{
    const struct registration_input *input = call->input;
    buf_addf(out, "%zu\n", input->email.length);
    buf_add_text(out, input->email);
    buf_add_text(out, input->name);
}

/* The command asks again whether the address is free; asking here as well spares the hash when it is not. */
static enum err check_free(struct call *call, struct text email_key)
{
    struct account other;
    enum err err = store_account_of_email(call->db, email_key, call_arena(call), &other);
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    return err ? err : refuse_taken(call);
}

enum err registration_task(struct call *call)
{
    const struct registration_input *input = call->input;
    const struct password_cost cost = user_password_cost(call);
    struct arena *arena = call_arena(call);
    struct account *account = arena_calloc(arena, 1, sizeof *account);
    char *id = arena_alloc(arena, ID_SIZE), *hash = arena_alloc(arena, PASSWORD_HASH_SIZE);
    if (!account || !id || !hash)
        return err_because(ERR_MEMORY, "no room for an account");

    enum err err = account_email_normalise(input->email, arena, &account->email, &account->email_key);
    if (!err)
        err = check_free(call, account->email_key);
    if (!err)
        err = password_hash(input->password, &cost, hash);
    if (err)
        return err;
    account->id = text_of(id_new(id));
    account->name = text_trim(input->name);
    account->role = ROLE_CUSTOMER;
    account->active = true;
    account->password_hash = text_of(hash);
    account->version = 1;
    account->created_us = account->updated_us = clock_wall_us();
    call->state = account;
    return ERR_NONE;
}

enum err registration_command(struct call *call)
{
    const struct account *account = call->state;
    enum err err = store_account_add(call->db, account);
    if (err == ERR_CONFLICT)
        return refuse_taken(call);
    if (err)
        return err;
    call_header(call, "Location", "/v1/users/%.*s", TEXT_ARGS(account->id));
    respond_account(call, 201, account);
    return ERR_NONE;
}

/* ---- GET ---- */

/* RFC 9110, 13.1.2: a list of entity tags, compared weakly; or "*". */
static bool none_match_has(const struct http_request *request, int64_t version)
{
    struct text list = http_header(request, "If-None-Match");
    char tag[32];
    snprintf(tag, sizeof tag, "\"%lld\"", (long long)version);
    while (list.at) {
        struct text item = text_trim(text_split(&list, ','));
        if (text_equal_string(item, "*"))
            return true;
        if (text_starts(item, TEXT("W/")))
            item = (struct text){item.at + 2, item.length - 2};
        if (text_equal_string(item, tag))
            return true;
    }
    return false;
}

static enum err show(struct call *call, struct text id)
{
    struct account account;
    enum err err = store_account(call->db, id, call_arena(call), &account);
    if (err)
        return err;
    bool known = none_match_has(&call->exchange->request, account.version);
    respond_account(call, known ? 304 : 200, &account);
    return ERR_NONE;
}

enum err me_query(struct call *call)
{
    return show(call, text_of(call->caller.user_id));
}

enum err account_query(struct call *call)
{
    struct text id = call_path(call, "id");
    enum err err = account_may_see(&call->caller, id);
    return err ? err : show(call, id);
}

enum err accounts_query(struct call *call)
{
    struct json_writer writer;
    struct account *accounts;
    struct page page;
    size_t count;
    enum err err = call_page(call, &page);
    if (!err)   /* one more than asked for tells whether there is a next page */
        err = store_accounts(call->db, page.after, page.limit + 1, call_arena(call), &accounts, &count);
    if (err)
        return err;

    bool more = count > (size_t)page.limit;
    size_t shown = more ? (size_t)page.limit : count;
    call_header(call, "Cache-Control", "private, no-cache");
    call_json(call, 200, &writer);
    json_object_begin(&writer);
    json_key(&writer, "items");
    json_array_begin(&writer);
    for (size_t i = 0; i < shown; i++)
        write_account(&writer, &accounts[i]);
    json_array_end(&writer);
    call_page_next(call, &writer, more ? accounts[shown - 1].id : TEXT_NONE);
    json_object_end(&writer);
    return ERR_NONE;
}

/* ---- PATCH and DELETE ---- */

/* What a change of an account is to begin with, from check to command. */
struct change {
    int64_t version;                 /* -1: any */
    struct account_patch patch;
};

static enum err begin_change(struct call *call, const struct account_patch *patch, struct change **ret)
{
    struct change *change = arena_calloc(call_arena(call), 1, sizeof *change);
    if (!change)
        return err_because(ERR_MEMORY, "no room for a change");
    change->version = -1;
    change->patch = *patch;
    call->state = change;
    *ret = change;
    return ERR_NONE;
}

/* Applies it to the account of the path, in the transaction. */
static enum err apply_change(struct call *call, struct account *ret)
{
    const struct change *change = call->state;
    struct account before, after;
    int64_t others = 1;
    enum err err = store_account(call->db, call_path(call, "id"), call_arena(call), &before);
    if (!err && change->version >= 0 && change->version != before.version)
        return call_refuse(call, ERR_PRECONDITION_FAILED, NULL, "It has changed since; read it again.");
    if (!err)
        err = account_patched(&before, &change->patch, clock_wall_us(), call_arena(call), &after);
    if (!err && account_loses_admin(&before, &after))
        err = store_other_admins(call->db, before.id, &others);
    if (!err && others == 0)
        return refuse_last_admin(call);
    if (!err)
        err = store_account_change(call->db, &after);
    if (err == ERR_CONFLICT)
        return refuse_taken(call);
    if (!err && !after.active)
        err = store_sessions_end(call->db, after.id, TEXT_NONE);
    if (!err && (after.active != before.active || after.role != before.role))
        err = user_access_changed(call, after.id);
    if (!err)
        *ret = after;
    return err;
}

enum err patch_check(struct call *call)
{
    const struct patch_input *input = call->input;
    struct account_patch patch = {input->email, input->name, input->role, input->status};
    struct change *change;
    enum err err = account_may_patch(&call->caller, call_path(call, "id"), &patch);
    if (err)
        return err;
    if (!patch.email.at && !patch.name.at && !patch.role.at && !patch.status.at)
        return call_fault(call, "", "must have at least one of email, name, role, status");
    err = begin_change(call, &patch, &change);
    return err ? err : call_if_match(call, &change->version);
}

enum err patch_command(struct call *call)
{
    struct account account;
    enum err err = apply_change(call, &account);
    if (!err)
        respond_account(call, 200, &account);
    return err;
}

enum err deactivation_check(struct call *call)
{
    struct account_patch patch = {.status = TEXT("deactivated")};
    struct change *change;
    enum err err = account_may_change(&call->caller, call_path(call, "id"));
    if (!err)
        err = begin_change(call, &patch, &change);
    if (!err && http_header(&call->exchange->request, "If-Match").at)   /* welcome here, but not required */
        err = call_if_match(call, &change->version);
    return err;
}

enum err deactivation_command(struct call *call)
{
    struct account account;
    enum err err = apply_change(call, &account);
    if (!err)
        call_empty(call, 204);
    return err;
}
