#include "config.h"

#include "apps/user/store.h"

#define ACCOUNT_COLUMNS "id, email, email_key, name, role, status, password_hash, version, created_us, updated_us"

static struct text copy(struct db_statement *row, int column, struct arena *arena, enum err *err)
{
    struct text text = arena_text(arena, db_text(row, column));
    if (!text.at)
        *err = err_because(ERR_MEMORY, "no room for a row of accounts");
    return text;
}

static enum err read_account(struct db_statement *row, struct arena *arena, struct account *ret)
{
    enum err err = ERR_NONE;
    struct account account = {
        .id = copy(row, 0, arena, &err),
        .email = copy(row, 1, arena, &err),
        .email_key = copy(row, 2, arena, &err),
        .name = copy(row, 3, arena, &err),
        .role = role_of(db_text(row, 4)),
        .active = text_equal(db_text(row, 5), TEXT("active")),
        .password_hash = copy(row, 6, arena, &err),
        .version = db_int(row, 7),
        .created_us = db_int(row, 8),
        .updated_us = db_int(row, 9),
    };
    if (!err)
        *ret = account;
    return err;
}

/* Ends a query for one account. */
static enum err one_account(struct db_statement *query, struct arena *arena, struct account *ret)
{
    struct account account;
    bool found = db_next(query);
    enum err read = found ? read_account(query, arena, &account) : err_because(ERR_NOT_FOUND, "no such account");
    enum err err = db_done(query);
    if (!err)
        err = read;
    if (!err)
        *ret = account;
    return err;
}

enum err store_account_add(struct db_connection *connection, const struct account *account)
{
    int64_t added;
    struct db_statement *insert = db_query(
        connection, "INSERT INTO account (" ACCOUNT_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                    " ON CONFLICT (email_key) DO NOTHING");
    db_bind_text(insert, 1, account->id);
    db_bind_text(insert, 2, account->email);
    db_bind_text(insert, 3, account->email_key);
    db_bind_text(insert, 4, account->name);
    db_bind_string(insert, 5, role_name(account->role));
    db_bind_string(insert, 6, account_status_name(account));
    db_bind_text(insert, 7, account->password_hash);
    db_bind_int(insert, 8, account->version);
    db_bind_int(insert, 9, account->created_us);
    db_bind_int(insert, 10, account->updated_us);
    enum err err = db_run(insert, &added);
    if (!err && added == 0)
        err = err_because(ERR_CONFLICT, "an account with this e-mail address exists");
    return err;
}

enum err store_account(struct db_connection *connection, struct text id, struct arena *arena, struct account *ret)
{
    struct db_statement *query = db_query(connection, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id = $1");
    db_bind_text(query, 1, id);
    return one_account(query, arena, ret);
}

enum err store_account_of_email(struct db_connection *connection, struct text email_key, struct arena *arena,
                                struct account *ret)
{
    struct db_statement *query =
        db_query(connection, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE email_key = $1");
    db_bind_text(query, 1, email_key);
    return one_account(query, arena, ret);
}

enum err store_accounts(struct db_connection *connection, struct text after, int64_t limit, struct arena *arena,
                        struct account **ret, size_t *ret_count)
{
    struct account *accounts = arena_calloc(arena, (size_t)limit, sizeof *accounts);
    size_t count = 0;
    enum err read = ERR_NONE;
    if (!accounts)
        return err_because(ERR_MEMORY, "no room for a page of accounts");
    struct db_statement *query =
        db_query(connection, "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id > $1 ORDER BY id LIMIT $2");
    db_bind_text(query, 1, after.at ? after : TEXT(""));
    db_bind_int(query, 2, limit);
    while (!read && db_next(query)) {
        read = read_account(query, arena, &accounts[count]);
        count++;
    }
    enum err err = db_done(query);
    if (!err)
        err = read;
    if (!err) {
        *ret = accounts;
        *ret_count = count;
    }
    return err;
}

enum err store_account_change(struct db_connection *connection, const struct account *account)
{
    int64_t changed;
    struct db_statement *update =
        db_query(connection, "UPDATE account SET email = $1, email_key = $2, name = $3, role = $4, status = $5,"
                             " version = $6, updated_us = $7 WHERE id = $8");
    db_bind_text(update, 1, account->email);
    db_bind_text(update, 2, account->email_key);
    db_bind_text(update, 3, account->name);
    db_bind_string(update, 4, role_name(account->role));
    db_bind_string(update, 5, account_status_name(account));
    db_bind_int(update, 6, account->version);
    db_bind_int(update, 7, account->updated_us);
    db_bind_text(update, 8, account->id);
    enum err err = db_run(update, &changed);
    if (!err && changed == 0)
        err = err_because(ERR_NOT_FOUND, "no such account");
    return err;
}

enum err store_password(struct db_connection *connection, struct text id, struct text expected, struct text hash)
{
    int64_t changed;
    struct db_statement *update =
        db_query(connection, "UPDATE account SET password_hash = $1"
                             " WHERE id = $2 AND password_hash = COALESCE($3, password_hash)");
    db_bind_text(update, 1, hash);
    db_bind_text(update, 2, id);
    db_bind_text(update, 3, expected);
    enum err err = db_run(update, &changed);
    if (!err && changed == 0)
        err = err_because(ERR_CONFLICT, "the password has changed meanwhile, or its account is gone");
    return err;
}

enum err store_other_admins(struct db_connection *connection, struct text id, int64_t *ret_count)
{
    int64_t count = 0;
    struct db_statement *query = db_query(
        connection, "SELECT COUNT(*) FROM account WHERE role = 'admin' AND status = 'active' AND id <> $1");
    db_bind_text(query, 1, id);
    if (db_next(query))
        count = db_int(query, 0);
    enum err err = db_done(query);
    if (!err)
        *ret_count = count;
    return err;
}
