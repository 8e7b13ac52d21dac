/* Accounts and sessions in a real database, changed through its writer. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/user/store.h"
#include "check/unit/engines.h"
#include "check/unit/scratch.h"

static struct scratch scratch;
static struct db *db;
static struct db_connection *reader;
static struct arena arena;

static void begin(void)
{
    scratch_init(&scratch);
    struct db_opts opts = scratch_db_opts(scratch_path(&scratch, "user.db"));
    CU_ASSERT_EQUAL_FATAL(db_open(&opts, &db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(migrate(db, &user_migrations, 1), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_start(db), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(db_reader_open(db, &reader), ERR_NONE);
    arena_init(&arena, 1 << 20);
}

static void end(void)
{
    arena_fini(&arena);
    db_reader_close(reader);
    db_close(db);
    scratch_fini(&scratch);
}

/* ---- changes, as jobs of the writer ---- */

struct change {
    struct account account;
    struct session session;
    struct text a, b;
    int64_t number;
    enum err (*make)(struct db_connection *connection, const struct change *change);
};

static enum err work(struct db_connection *connection, void *context)
{
    const struct change *change = context;
    return change->make(connection, change);
}

static enum err write_change(struct change change)
{
    return db_write(db, work, &change);
}

static enum err make_add(struct db_connection *connection, const struct change *change)
{
    return store_account_add(connection, &change->account);
}

static enum err make_change(struct db_connection *connection, const struct change *change)
{
    return store_account_change(connection, &change->account);
}

static enum err make_password(struct db_connection *connection, const struct change *change)
{
    return store_password(connection, change->account.id, change->a, change->b);
}

static enum err make_session(struct db_connection *connection, const struct change *change)
{
    return store_session_add(connection, &change->session);
}

static enum err make_end(struct db_connection *connection, const struct change *change)
{
    return store_session_end(connection, change->a);
}

static enum err make_ends(struct db_connection *connection, const struct change *change)
{
    return store_sessions_end(connection, change->a, change->b);
}

static enum err make_trim(struct db_connection *connection, const struct change *change)
{
    return store_sessions_trim(connection, change->a, change->number, NULL);
}

static enum err make_sweep(struct db_connection *connection, const struct change *change)
{
    return store_sessions_sweep(connection, change->number, 2);
}

/* ---- helpers ---- */

static struct account account_of(const char *id, const char *email)
{
    return (struct account){.id = text_of(id), .email = text_of(email), .email_key = text_of(email),
                            .name = TEXT("A Name"), .role = ROLE_CUSTOMER, .active = true,
                            .password_hash = TEXT("hash"), .version = 1, .created_us = 11, .updated_us = 12};
}

static enum err add(struct account account)
{
    return write_change((struct change){.make = make_add, .account = account});
}

static void add_session(const char *digest, const char *user, bool issued, int64_t created_us, int64_t expires_us)
{
    const struct session session = {.token_digest = text_of(digest), .user_id = text_of(user), .issued = issued,
                                    .created_us = created_us, .expires_us = expires_us};
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_session, .session = session}), ERR_NONE);
}

static bool has_session(const char *digest)
{
    struct session session;
    return store_session(reader, text_of(digest), 0, &arena, &session) == ERR_NONE;
}

/* ---- accounts ---- */

static void test_account_is_kept_whole(void)
{
    struct account read, wanted = account_of("id-1", "ann@example.org");
    begin();
    wanted.role = ROLE_SERVICE;
    wanted.email = TEXT("Ann@example.org");
    CU_ASSERT_EQUAL(add(wanted), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(store_account(reader, TEXT("id-1"), &arena, &read), ERR_NONE);
    CU_ASSERT(text_equal(read.id, wanted.id) && text_equal(read.email, wanted.email));
    CU_ASSERT(text_equal(read.email_key, wanted.email_key) && text_equal(read.name, wanted.name));
    CU_ASSERT(text_equal(read.password_hash, wanted.password_hash));
    CU_ASSERT(read.role == ROLE_SERVICE && read.active);
    CU_ASSERT(read.version == 1 && read.created_us == 11 && read.updated_us == 12);
    CU_ASSERT_EQUAL_FATAL(store_account_of_email(reader, TEXT("ann@example.org"), &arena, &read), ERR_NONE);
    CU_ASSERT(text_equal(read.id, wanted.id));
    end();
}

static void test_account_not_found(void)
{
    struct account read = {.version = 77};
    begin();
    CU_ASSERT_EQUAL(store_account(reader, TEXT("id-1"), &arena, &read), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(store_account_of_email(reader, TEXT("a@b"), &arena, &read), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(read.version, 77);
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_change, .account = account_of("id-1", "a@b")}),
                    ERR_NOT_FOUND);
    end();
}

static void test_address_is_taken(void)
{
    begin();
    CU_ASSERT_EQUAL(add(account_of("id-1", "ann@example.org")), ERR_NONE);
    CU_ASSERT_EQUAL(add(account_of("id-2", "ann@example.org")), ERR_CONFLICT);
    CU_ASSERT_PTR_NULL(strstr(err_cause(), "ann@"));
    CU_ASSERT_EQUAL(add(account_of("id-2", "bob@example.org")), ERR_NONE);
    const struct change taken = {.make = make_change, .account = account_of("id-2", "ann@example.org")};
    CU_ASSERT_EQUAL(write_change(taken), ERR_CONFLICT);
    CU_ASSERT_PTR_NULL(strstr(err_cause(), "ann@"));
    end();
}

static void test_change(void)
{
    struct account read, account = account_of("id-1", "ann@example.org");
    begin();
    CU_ASSERT_EQUAL(add(account), ERR_NONE);
    account.name = TEXT("Other");
    account.role = ROLE_ADMIN;
    account.active = false;
    account.version = 2;
    account.password_hash = TEXT("not by this way");
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_change, .account = account}), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(store_account(reader, TEXT("id-1"), &arena, &read), ERR_NONE);
    CU_ASSERT(text_equal(read.name, TEXT("Other")) && read.role == ROLE_ADMIN && !read.active && read.version == 2);
    CU_ASSERT(text_equal(read.password_hash, TEXT("hash")));
    end();
}

static void test_password(void)
{
    struct change change = {.make = make_password, .account = account_of("id-1", "a@b"), .b = TEXT("new")};
    struct account read;
    begin();
    CU_ASSERT_EQUAL(add(change.account), ERR_NONE);
    change.a = TEXT("older");
    CU_ASSERT_EQUAL(write_change(change), ERR_CONFLICT);
    change.a = TEXT("hash");
    CU_ASSERT_EQUAL(write_change(change), ERR_NONE);
    CU_ASSERT_EQUAL(write_change(change), ERR_CONFLICT);
    change.a = TEXT_NONE;
    change.b = TEXT("newest");
    CU_ASSERT_EQUAL(write_change(change), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(store_account(reader, TEXT("id-1"), &arena, &read), ERR_NONE);
    CU_ASSERT(text_equal(read.password_hash, TEXT("newest")));
    change.account.id = TEXT("id-2");
    CU_ASSERT_EQUAL(write_change(change), ERR_CONFLICT);
    end();
}

static void test_pages(void)
{
    struct account *page;
    size_t count;
    begin();
    CU_ASSERT_EQUAL_FATAL(store_accounts(reader, TEXT_NONE, 2, &arena, &page, &count), ERR_NONE);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(add(account_of("id-3", "c@b")), ERR_NONE);
    CU_ASSERT_EQUAL(add(account_of("id-1", "a@b")), ERR_NONE);
    CU_ASSERT_EQUAL(add(account_of("id-2", "b@b")), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(store_accounts(reader, TEXT(""), 2, &arena, &page, &count), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT(text_equal(page[0].id, TEXT("id-1")) && text_equal(page[1].id, TEXT("id-2")));
    CU_ASSERT_EQUAL_FATAL(store_accounts(reader, page[1].id, 2, &arena, &page, &count), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT(text_equal(page[0].id, TEXT("id-3")));
    end();
}

static void test_page_without_memory(void)
{
    struct account *page = NULL;
    struct arena small;
    size_t count = 77;
    begin();
    CU_ASSERT_EQUAL(add(account_of("id-1", "a@b")), ERR_NONE);
    arena_init(&small, sizeof(struct account) + 8);
    CU_ASSERT_EQUAL(store_accounts(reader, TEXT(""), 1, &small, &page, &count), ERR_MEMORY);
    CU_ASSERT(page == NULL && count == 77);
    CU_ASSERT_EQUAL(store_accounts(reader, TEXT(""), 1, &arena, &page, &count), ERR_NONE);   /* the statement is free */
    arena_fini(&small);
    end();
}

static void test_other_admins(void)
{
    struct account admin = account_of("id-1", "a@b"), second = account_of("id-2", "b@b");
    struct account off = account_of("id-3", "c@b");
    int64_t count;
    begin();
    admin.role = second.role = off.role = ROLE_ADMIN;
    off.active = false;
    CU_ASSERT_EQUAL(add(admin), ERR_NONE);
    CU_ASSERT_EQUAL(add(off), ERR_NONE);
    CU_ASSERT_EQUAL(add(account_of("id-4", "d@b")), ERR_NONE);
    CU_ASSERT_EQUAL(store_other_admins(reader, admin.id, &count), ERR_NONE);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(add(second), ERR_NONE);
    CU_ASSERT_EQUAL(store_other_admins(reader, admin.id, &count), ERR_NONE);
    CU_ASSERT_EQUAL(count, 1);
    end();
}

/* ---- sessions ---- */

static void test_session(void)
{
    struct account account = account_of("id-1", "a@b");
    struct session session;
    begin();
    account.role = ROLE_ADMIN;
    CU_ASSERT_EQUAL(add(account), ERR_NONE);
    add_session("d1", "id-1", true, 5, 100);
    CU_ASSERT_EQUAL_FATAL(store_session(reader, TEXT("d1"), 99, &arena, &session), ERR_NONE);
    CU_ASSERT(text_equal(session.user_id, TEXT("id-1")) && session.role == ROLE_ADMIN && session.issued);
    CU_ASSERT(session.created_us == 5 && session.expires_us == 100);
    CU_ASSERT_EQUAL(store_session(reader, TEXT("d1"), 100, &arena, &session), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(store_session(reader, TEXT("d2"), 0, &arena, &session), ERR_NOT_FOUND);

    account.active = false;
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_change, .account = account}), ERR_NONE);
    CU_ASSERT_EQUAL(store_session(reader, TEXT("d1"), 99, &arena, &session), ERR_NOT_FOUND);
    end();
}

static void test_session_needs_an_account(void)
{
    const struct session session = {.token_digest = TEXT("d1"), .user_id = TEXT("nobody"), .expires_us = 1};
    begin();
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_session, .session = session}), ERR_CONFLICT);
    end();
}

static void test_sessions_end(void)
{
    begin();
    CU_ASSERT_EQUAL(add(account_of("id-1", "a@b")), ERR_NONE);
    CU_ASSERT_EQUAL(add(account_of("id-2", "b@b")), ERR_NONE);
    add_session("d1", "id-1", false, 1, 100);
    add_session("d2", "id-1", false, 2, 100);
    add_session("d3", "id-1", true, 3, 100);
    add_session("d4", "id-2", false, 4, 100);
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_ends, .a = TEXT("id-1"), .b = TEXT("d2")}), ERR_NONE);
    CU_ASSERT(!has_session("d1") && has_session("d2") && !has_session("d3") && has_session("d4"));
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_ends, .a = TEXT("id-1")}), ERR_NONE);
    CU_ASSERT(!has_session("d2") && has_session("d4"));
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_end, .a = TEXT("d4")}), ERR_NONE);
    CU_ASSERT(!has_session("d4"));
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_end, .a = TEXT("d4")}), ERR_NONE);
    end();
}

static void test_sessions_trim(void)
{
    begin();
    CU_ASSERT_EQUAL(add(account_of("id-1", "a@b")), ERR_NONE);
    CU_ASSERT_EQUAL(add(account_of("id-2", "b@b")), ERR_NONE);
    add_session("d0", "id-1", true, 0, 100);
    add_session("d3", "id-1", false, 3, 100);
    add_session("d1", "id-1", false, 1, 100);
    add_session("d2", "id-1", false, 2, 100);
    add_session("d4", "id-2", false, 0, 100);
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_trim, .a = TEXT("id-1"), .number = 2}), ERR_NONE);
    CU_ASSERT(!has_session("d1") && has_session("d2") && has_session("d3"));
    CU_ASSERT(has_session("d0") && has_session("d4"));   /* issued ones and other users' stay */
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_trim, .a = TEXT("id-1"), .number = 0}), ERR_NONE);
    CU_ASSERT(!has_session("d2") && !has_session("d3") && has_session("d0"));
    end();
}

static void test_sessions_sweep(void)
{
    begin();
    CU_ASSERT_EQUAL(add(account_of("id-1", "a@b")), ERR_NONE);
    add_session("d1", "id-1", false, 0, 10);
    add_session("d2", "id-1", false, 0, 20);
    add_session("d3", "id-1", false, 0, 30);
    add_session("d4", "id-1", false, 0, 31);
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_sweep, .number = 30}), ERR_NONE);
    CU_ASSERT(!has_session("d1") && !has_session("d2") && has_session("d3"));
    CU_ASSERT_EQUAL(write_change((struct change){.make = make_sweep, .number = 30}), ERR_NONE);
    CU_ASSERT(!has_session("d3") && has_session("d4"));
    end();
}

static const struct suite_case cases[] = {
    {"an account reads back as it was written", test_account_is_kept_whole},
    {"an account that is not there is not found", test_account_not_found},
    {"an address has one account", test_address_is_taken},
    {"a change leaves the password alone", test_change},
    {"a password changes only from the expected one", test_password},
    {"pages follow the ids", test_pages},
    {"a page that does not fit leaves the statement free", test_page_without_memory},
    {"other active admins are counted", test_other_admins},
    {"a session lasts until its time or its account is over", test_session},
    {"a session needs an account", test_session_needs_an_account},
    {"sessions end alone, together, and but for one", test_sessions_end},
    {"the oldest sign-ins go, issued tokens stay", test_sessions_trim},
    {"sessions past their time are swept in steps", test_sessions_sweep},
};

int main(void)
{
    return engines_main("user_store", cases, sizeof cases / sizeof cases[0]);
}
