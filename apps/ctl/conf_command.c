#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/ctl/commands.h"
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

static enum err load(const struct invocation *invocation, const char *service, struct buf *faults,
                     struct settings **ret)
{
    const char *overrides[INVOCATION_MAX_GIVEN];
    struct settings_opts opts = {
        .service = service,
        .file = settings_file(invocation),
        .environment = environ,
        .overrides = overrides,
    };
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
    enum err err = load(invocation, service, &faults, &settings);
    if (err && faults.length > 0)
        fputs(buf_string(&faults), stderr);
    if (err)
        invocation_failure("%s", err_cause());
    buf_fini(&faults);
    return settings;
}

/* ---- conf check: as each program reads it; what is wrong for all of them is said once ---- */

int command_conf_check(const struct invocation *invocation)
{
    struct buf told;
    int status = EXIT_SUCCESS;
    buf_init(&told, FAULTS_MAX);
    for (size_t i = 0; option_services[i]; i++) {
        struct settings *settings = NULL;
        struct buf faults;
        buf_init(&faults, FAULTS_MAX);
        enum err err = load(invocation, option_services[i], &faults, &settings);
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

static bool is_service(const char *name)
{
    for (size_t i = 0; option_services[i]; i++) {
        if (strcmp(option_services[i], name) == 0)
            return true;
    }
    return false;
}

/* The settings as --service has them; *ret_status (untouched otherwise) is the exit status when there are none. */
static struct settings *load_chosen(const struct invocation *invocation, int *ret_status)
{
    const char *service = invocation_value(invocation, "service");
    struct settings *settings = NULL;
    if (service && !is_service(service)) {
        *ret_status = invocation_usage(invocation->command, "--service is user, order or inventory");
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
