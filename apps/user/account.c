#include "config.h"

#include <string.h>

#include "apps/user/account.h"

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322, 3.2.3. */
static bool is_atext(char c)
{
    return is_letter_or_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool atom_valid(struct text atom)
{
    for (size_t i = 0; i < atom.length; i++) {
        if (!is_atext(atom.at[i]))
            return false;
    }
    return atom.length > 0;
}

/* RFC 1123, 2.1. */
static bool label_valid(struct text label)
{
    if (label.length == 0 || label.length > 63 || label.at[0] == '-' || label.at[label.length - 1] == '-')
        return false;
    for (size_t i = 0; i < label.length; i++) {
        if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-')
            return false;
    }
    return true;
}

static bool every_part_valid(struct text dotted, bool (*valid)(struct text))
{
    do {
        if (!valid(text_split(&dotted, '.')))
            return false;
    } while (dotted.at);
    return true;
}

bool account_email_valid(struct text email)
{
    struct text domain = text_trim(email);
    bool fits = domain.length <= EMAIL_MAX_BYTES;
    struct text local = text_split(&domain, '@');

    return fits && domain.at && local.length <= EMAIL_LOCAL_MAX_BYTES && every_part_valid(local, atom_valid)
        && every_part_valid(domain, label_valid);
}

static void lower(char *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] = (char)(at[i] - 'A' + 'a');
    }
}

/* A copy whose bytes from `from` on are in lower case. */
static enum err lower_copy(struct text text, size_t from, struct arena *arena, struct text *ret)
{
    char *copy = arena_string(arena, text);

    if (!copy)
        return err_because(ERR_MEMORY, "no room for an e-mail address");
    lower(copy + from, text.length - from);
    *ret = (struct text){copy, text.length};
    return ERR_NONE;
}

enum err account_email_key(struct text email, struct arena *arena, struct text *ret_key)
{
    return lower_copy(text_trim(email), 0, arena, ret_key);
}

enum err account_email_normalise(struct text email, struct arena *arena, struct text *ret_email,
                                 struct text *ret_key)
{
    struct text trimmed = text_trim(email), normal;
    ptrdiff_t at = text_find(trimmed, '@');
    enum err err = lower_copy(trimmed, at < 0 ? trimmed.length : (size_t)at, arena, &normal);

    if (!err)
        err = account_email_key(email, arena, ret_key);
    if (!err)
        *ret_email = normal;
    return err;
}

/* C0, DEL, and C1, which in UTF-8 is C2 80 to C2 9F. */
static bool has_control(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        unsigned char next = i + 1 < text.length ? (unsigned char)text.at[i + 1] : 0;
        if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next < 0xa0))
            return true;
    }
    return false;
}

bool account_name_valid(struct text name)
{
    struct text trimmed = text_trim(name);

    return trimmed.length > 0 && text_utf8_count(trimmed) <= ACCOUNT_NAME_MAX && !has_control(trimmed);
}

const char *account_password_fault(struct secret given, unsigned min, struct arena *arena)
{
    struct text password = secret_reveal(given);
    const char *reason = NULL;

    if (password.length > PASSWORD_MAX_BYTES)
        return "must have at most 1024 bytes";
    if (text_utf8_count(password) < min) {
        reason = arena_printf(arena, "must have at least %u characters", min);
        return reason ? reason : "is too short";
    }
    return NULL;
}

bool account_status_valid(struct text status)
{
    return text_equal(status, TEXT("active")) || text_equal(status, TEXT("deactivated"));
}

bool account_role_valid(struct text role)
{
    return role_of(role) != 0;
}

const char *account_status_name(const struct account *account)
{
    return account->active ? "active" : "deactivated";
}

static bool is_self(const struct identity *caller, struct text id)
{
    return text_equal_string(id, caller->user_id);
}

enum err account_may_see(const struct identity *caller, struct text id)
{
    bool may = is_self(caller, id) || (caller->role & (ROLE_ADMIN | ROLE_SERVICE));

    return may ? ERR_NONE : ERR_NOT_FOUND;
}

enum err account_may_change(const struct identity *caller, struct text id)
{
    if (is_self(caller, id) || (caller->role & ROLE_ADMIN))
        return ERR_NONE;
    return account_may_see(caller, id) ? ERR_NOT_FOUND : ERR_FORBIDDEN;
}

enum err account_may_patch(const struct identity *caller, struct text id, const struct account_patch *patch)
{
    enum err err = account_may_change(caller, id);

    if (!err && (patch->role.at || patch->status.at) && !(caller->role & ROLE_ADMIN))
        return ERR_FORBIDDEN;
    return err;
}

enum err account_patched(const struct account *before, const struct account_patch *patch, int64_t now_us,
                         struct arena *arena, struct account *ret)
{
    struct account after = *before;

    if (patch->email.at) {
        enum err err = account_email_normalise(patch->email, arena, &after.email, &after.email_key);
        if (err)
            return err;
    }
    if (patch->name.at)
        after.name = text_trim(patch->name);
    if (patch->role.at)
        after.role = role_of(patch->role);
    if (patch->status.at)
        after.active = text_equal(patch->status, TEXT("active"));
    after.version++;
    after.updated_us = now_us;
    *ret = after;
    return ERR_NONE;
}

static bool is_active_admin(const struct account *account)
{
    return account->active && account->role == ROLE_ADMIN;
}

bool account_loses_admin(const struct account *before, const struct account *after)
{
    return is_active_admin(before) && !is_active_admin(after);
}
