#include "config.h"

#include <string.h>

#include "apps/order/payment_settings.h"
#include "base/buf.h"

enum { PATH_MAX_BYTES = 8192 };

/* payment.sandbox_file, or payments.db beside the service's own database. */
static void sandbox_file(const struct settings *settings, struct buf *out)
{
    const char *given = settings_text(settings, OPTION_PAYMENT_SANDBOX_FILE);
    if (*given) {
        buf_add_string(out, given);
        return;
    }
    struct text path = text_of(settings_text(settings, OPTION_DB_PATH));
    while (path.length > 0 && path.at[path.length - 1] != '/')
        path.length--;
    buf_add_text(out, path);
    buf_add_string(out, "payments.db");
}

/* Where the database is on a server and nothing else is said. */
static bool has_no_place(const struct settings *settings)
{
    return strcmp(settings_text(settings, OPTION_PAYMENT_DRIVER), "sandbox") == 0 &&
           !*settings_text(settings, OPTION_PAYMENT_SANDBOX_FILE) && !*settings_text(settings, OPTION_DB_PATH);
}

/* file is where the sandbox's path is kept for as long as the options are used. */
static enum err read_opts(const struct settings *settings, struct buf *file, struct payment_opts *ret)
{
    if (has_no_place(settings))
        return err_because(ERR_CONFIG, "payment.sandbox_file is not set, and there is no db.path to put it beside");
    sandbox_file(settings, file);
    *ret = (struct payment_opts){
        .driver = settings_text(settings, OPTION_PAYMENT_DRIVER),
        .sandbox_file = buf_string(file),
        .busy_timeout_ms = (unsigned)settings_int(settings, OPTION_DB_BUSY_TIMEOUT_MS),
        .stripe_url = settings_text(settings, OPTION_PAYMENT_STRIPE_URL),
        .stripe_key_file = settings_text(settings, OPTION_PAYMENT_STRIPE_KEY_FILE),
        .webhook_secret_file = settings_text(settings, OPTION_PAYMENT_WEBHOOK_SECRET_FILE),
        .timeout_ms = (unsigned)settings_int(settings, OPTION_PAYMENT_TIMEOUT_MS),
        .breaker_failures = (unsigned)settings_int(settings, OPTION_CLIENT_BREAKER_FAILURES),
        .breaker_open_ms = (unsigned)settings_int(settings, OPTION_CLIENT_BREAKER_OPEN_MS),
        .breaker_probes = (unsigned)settings_int(settings, OPTION_CLIENT_BREAKER_PROBES),
    };
    return buf_check(file);
}

enum err payment_settings_open(const struct settings *settings, struct payment **ret)
{
    struct payment_opts opts;
    struct buf file;
    buf_init(&file, PATH_MAX_BYTES);
    enum err err = read_opts(settings, &file, &opts);
    if (!err)
        err = payment_open(&opts, ret);
    buf_fini(&file);
    return err;
}

static enum err check(const struct settings *settings, enum option_id option, const char *service)
{
    struct payment_opts opts;
    struct buf file;
    (void)option;
    (void)service;
    buf_init(&file, PATH_MAX_BYTES);
    enum err err = read_opts(settings, &file, &opts);
    if (!err)
        err = payment_check(&opts);
    buf_fini(&file);
    return err;
}

static const struct settings_rule rules[] = {
    {OPTION_PAYMENT_DRIVER, OPTION_DB_URL, check},
};

const struct settings_rules payment_rules = {rules, sizeof rules / sizeof rules[0]};
