#include "config.h"

#include <sodium.h>
#include <stdlib.h>

#include "apps/ctl/commands.h"
#include "apps/ctl/secret.h"
#include "apps/ctl/user_database.h"
#include "apps/user/account.h"
#include "apps/user/password.h"
#include "apps/user/store.h"
#include "base/clock.h"

enum { ARENA_MAX = 64 * 1024 };

/* An account in the making; the texts of the account are in the arena or in what is beside it. */
struct creation {
    struct arena arena;
    struct buf password;
    struct account account;
    char id[ID_SIZE], hash[PASSWORD_HASH_SIZE];
};

static enum err add_account(struct db_connection *connection, void *context)
{
    const struct creation *creation = context;
    return store_account_add(connection, &creation->account);
}

/* What the command line says of the account. False after a message. */
static bool read_account(const struct invocation *invocation, struct creation *creation)
{
    const struct command *command = invocation->command;
    struct account *account = &creation->account;
    struct text email = text_of(invocation_value(invocation, "email"));
    struct text name = text_of(invocation_value(invocation, "name"));
    bool admin = invocation_value(invocation, "admin"), service = invocation_value(invocation, "service");
    if (admin && service)
        return invocation_usage(command, "--admin and --service exclude each other"), false;
    if (!account_email_valid(email))
        return invocation_usage(command, "--email is not an e-mail address"), false;
    if (!text_is_utf8(name) || !account_name_valid(name))
        return invocation_usage(command, "--name has 1 to %d characters, none of them a control character",
                                ACCOUNT_NAME_MAX), false;
    if (account_email_normalise(email, &creation->arena, &account->email, &account->email_key))
        return invocation_failure("%s", err_cause()), false;
    account->id = text_of(id_new(creation->id));
    account->name = text_trim(name);
    account->role = admin ? ROLE_ADMIN : service ? ROLE_SERVICE : ROLE_CUSTOMER;
    account->active = true;
    account->version = 1;
    account->created_us = account->updated_us = clock_wall_us();
    return true;
}

static enum err read_password(const struct invocation *invocation, const struct settings *settings,
                              struct creation *creation)
{
    const char *file = invocation_value(invocation, "password-file");
    unsigned min = (unsigned)settings_int(settings, OPTION_PASSWORD_MIN_LENGTH);
    enum err err = file ? secret_read(file, &creation->password) : secret_ask("Password: ", &creation->password);
    if (err)
        return err;
    struct secret password = secret_of(buf_text(&creation->password));
    const char *fault = account_password_fault(password, min, &creation->arena);
    if (!text_is_utf8(secret_reveal(password)))
        fault = "is not UTF-8, so that nobody could send it";
    return fault ? err_because(ERR_INVALID, "the password %s", fault) : ERR_NONE;
}

static enum err hash_password(const struct settings *settings, struct creation *creation)
{
    const struct password_cost cost = {
        .passes = (unsigned)settings_int(settings, OPTION_PASSWORD_PASSES),
        .memory_kib = (unsigned)settings_int(settings, OPTION_PASSWORD_MEMORY_KIB),
    };
    enum err err = password_hash(secret_of(buf_text(&creation->password)), &cost, creation->hash);
    creation->account.password_hash = text_of(creation->hash);
    return err;
}

static int create(const struct invocation *invocation, const struct settings *settings, struct creation *creation)
{
    enum err err = read_password(invocation, settings, creation);
    if (!err)
        err = hash_password(settings, creation);
    if (!err)
        err = user_database_change(settings, add_account, creation);
    if (err)
        return invocation_failure("%s", err_cause());
    puts(creation->id);
    return EXIT_SUCCESS;
}

int command_user_create(const struct invocation *invocation)
{
    struct creation creation = {.account = {.version = 1}};
    struct settings *settings = NULL;
    int status = EXIT_USAGE;
    arena_init(&creation.arena, ARENA_MAX);
    buf_init(&creation.password, PASSWORD_MAX_BYTES);
    if (read_account(invocation, &creation)) {
        settings = load_settings(invocation, "user");
        status = settings ? create(invocation, settings, &creation) : EXIT_FAILURE;
    }
    settings_unref(settings);
    if (creation.password.data)
        sodium_memzero(creation.password.data, creation.password.capacity);
    buf_fini(&creation.password);
    arena_fini(&creation.arena);
    return status;
}
