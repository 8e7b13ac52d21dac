#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/ctl/commands.h"

enum { FAULTS_MAX = 64 * 1024, PRINT_MAX = 1024 * 1024 };

static const char default_file[] = SYSCONFDIR "/tandem/tandem.conf";

const char *const service_names[] = {"user", "order", "inventory", NULL};

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
    for (size_t i = 0; service_names[i]; i++) {
        struct settings *settings = NULL;
        struct buf faults;
        buf_init(&faults, FAULTS_MAX);
        enum err err = load(invocation, service_names[i], &faults, &settings);
        if (err) {
            status = EXIT_FAILURE;
            const char *text = faults.length > 0 ? buf_string(&faults) : err_cause();
            if (!text_equal_string(buf_text(&told), text))
                fprintf(stderr, "tandemctl: as %s reads it:\n%s", service_names[i], text);
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
    for (size_t i = 0; service_names[i]; i++) {
        if (strcmp(service_names[i], name) == 0)
            return true;
    }
    return false;
}

int command_conf_print(const struct invocation *invocation)
{
    const char *service = invocation_value(invocation, "service");
    struct buf out;
    if (service && !is_service(service))
        return invocation_usage(invocation->command, "--service is user, order or inventory");
    struct settings *settings = load_settings(invocation, service);
    if (!settings)
        return EXIT_FAILURE;
    buf_init(&out, PRINT_MAX);
    settings_print(settings, &out);
    bool whole = buf_check(&out) == ERR_NONE && fwrite(out.data, 1, out.length, stdout) == out.length;
    buf_fini(&out);
    settings_unref(settings);
    return whole ? EXIT_SUCCESS : invocation_failure("the settings could not be printed");
}
