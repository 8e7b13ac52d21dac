#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/service_rules.h"
#include "apps/ctl/commands.h"
#include "apps/order/payment_settings.h"
#include "conf/option.h"

enum { FAULTS_MAX = 64 * 1024, PRINT_MAX = 1024 * 1024 };

static const char default_file[] = SYSCONFDIR "/tandem/tandem.conf";

/* The file asked for; else the usual one, when it is there. */
static const char *settings_file(const struct invocation *invocation)
{
    const char *given = invocation_value(invocation, "config");
    if (given)
        return given;
    return access(default_file, F_OK) == 0 ? default_file : NULL;
}

/* What an application adds of its own. */
static struct settings_rules rules_of(const char *service)
{
    static const struct {
        const char *service;
        const struct settings_rules *rules;
    } own[] = {
        {"order", &payment_rules},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(own[i].service, service) == 0)
            return *own[i].rules;
    return (struct settings_rules){.count = 0};
}

/* A command takes what it needs of the settings, and opens that itself; as_start: as the service does that starts. */
static enum err load(const struct invocation *invocation, const char *service, bool as_start, struct buf *faults,
                     struct settings **ret)
{
    const char *overrides[INVOCATION_MAX_GIVEN];
    struct settings_opts opts = {
        .service = service,
        .file = settings_file(invocation),
        .environment = environ,
        .overrides = overrides,
    };
    if (as_start) {
        opts.elsewhere = invocation_value(invocation, "elsewhere") != NULL;
        opts.rules[0] = service_rules;
        opts.rules[1] = rules_of(service);
    }
    const char *override;
    while ((override = invocation_value_at(invocation, "set", opts.override_count)) != NULL)
        overrides[opts.override_count++] = override;
    return settings_load(&opts, faults, ret);
}

struct settings *load_settings(const struct invocation *invocation, const char *service)
{
    struct settings *settings = NULL;
    struct buf faults;
    buf_init(&faults, FAULTS_MAX);
    enum err err = load(invocation, service, false, &faults, &settings);
    if (err && faults.length > 0)
        fputs(buf_string(&faults), stderr);
    if (err)
        invocation_failure("%s", err_cause());
    buf_fini(&faults);
    return settings;
}

static bool is_service(const char *name)
{
    for (size_t i = 0; option_services[i]; i++) {
        if (strcmp(option_services[i], name) == 0)
            return true;
    }
    return false;
}

static int usage_service(const struct invocation *invocation)
{
    return invocation_usage(invocation->command, "--service is user, order or inventory");
}

/* ---- conf check: as each program reads it; what is wrong for all of them is said once ---- */

int command_conf_check(const struct invocation *invocation)
{
    struct buf told;
    int status = EXIT_SUCCESS;
    const char *only = invocation_value(invocation, "service");
    if (only && !is_service(only))
        return usage_service(invocation);
    buf_init(&told, FAULTS_MAX);
    for (size_t i = 0; option_services[i]; i++) {
        struct settings *settings = NULL;
        struct buf faults;
        if (only && strcmp(option_services[i], only) != 0)
            continue;
        buf_init(&faults, FAULTS_MAX);
        enum err err = load(invocation, option_services[i], true, &faults, &settings);
        if (err) {
            status = EXIT_FAILURE;
            const char *text = faults.length > 0 ? buf_string(&faults) : err_cause();
            if (!text_equal_string(buf_text(&told), text))
                fprintf(stderr, "tandemctl: as %s reads it:\n%s", option_services[i], text);
            buf_reset(&told, FAULTS_MAX);
            buf_add_string(&told, text);
        }
        settings_unref(settings);
        buf_fini(&faults);
    }
    buf_fini(&told);
    if (status == EXIT_SUCCESS)
        puts("the settings are fine");
    return status;
}

/* ---- conf print ---- */

/* The settings as --service has them; *ret_status (untouched otherwise) is the exit status when there are none. */
static struct settings *load_chosen(const struct invocation *invocation, int *ret_status)
{
    const char *service = invocation_value(invocation, "service");
    struct settings *settings = NULL;
    if (service && !is_service(service)) {
        *ret_status = usage_service(invocation);
        return NULL;
    }
    settings = load_settings(invocation, service);
    if (!settings)
        *ret_status = EXIT_FAILURE;
    return settings;
}

int command_conf_print(const struct invocation *invocation)
{
    int status = EXIT_SUCCESS;
    struct buf out;
    struct settings *settings = load_chosen(invocation, &status);
    if (!settings)
        return status;
    buf_init(&out, PRINT_MAX);
    settings_print(settings, &out);
    bool whole = buf_check(&out) == ERR_NONE && fwrite(out.data, 1, out.length, stdout) == out.length;
    buf_fini(&out);
    settings_unref(settings);
    return whole ? EXIT_SUCCESS : invocation_failure("the settings could not be printed");
}

int command_conf_digest(const struct invocation *invocation)
{
    int status = EXIT_SUCCESS;
    struct settings *settings = load_chosen(invocation, &status);
    if (settings)
        puts(settings_digest(settings));
    settings_unref(settings);
    return status;
}
