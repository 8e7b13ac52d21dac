#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/arguments.h"
#include "app/service_rules.h"

enum {
    FAULTS_MAX_BYTES = 64 * 1024,
    PRINT_MAX_BYTES = 256 * 1024,
    EXIT_USAGE = 2,
    INSTANCE_SIZE = 80,
};

enum wish { WISH_RUN, WISH_HELP, WISH_VERSION, WISH_CHECK, WISH_PRINT, WISH_USAGE };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, 's'},
    {"check-config", no_argument, NULL, 'k'},
    {"print-config", no_argument, NULL, 'p'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void print_help(const struct service_definition *definition)
{
    printf("Usage: tandem-%s [--config FILE] [--set PATH=VALUE]...\n"
           "%s\n\n"
           "Serves FastCGI on descriptor 0 when that is a listening socket (spawn-fcgi), on the socket that\n"
           "systemd passed, or on server.listen. Ends on SIGTERM, when the requests under way are done; SIGHUP has it\n"
           "read its settings again, as it does by itself when their files change.\n\n"
           "  -c, --config FILE      read settings from FILE, tandem.$TANDEM_ENV.conf and conf.d beside it\n"
           "  -s, --set PATH=VALUE   set one option, over everything else; may be repeated\n"
           "      --check-config     say everything that is wrong with the settings; exit status 0 or 1\n"
           "      --print-config     show every option with its value and where that came from\n"
           "  -h, --help             show this\n"
           "  -V, --version          show the version\n\n"
           "Manual: tandem-%s(8)\n",
           definition->name, definition->summary, definition->name);
}

static enum wish parse(int argc, char **argv, struct arguments *arguments)
{
    struct settings_opts *opts = &arguments->settings_opts;
    enum wish wish = WISH_RUN;
    int option;
    while ((option = getopt_long(argc, argv, "c:s:hV", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            opts->file = optarg;
            break;
        case 's':
            if (opts->override_count == ARGUMENTS_OVERRIDES_MAX) {
                fprintf(stderr, "%s: --set can be given %d times at the most\n", argv[0],
                        ARGUMENTS_OVERRIDES_MAX);
                return WISH_USAGE;
            }
            arguments->overrides[opts->override_count++] = optarg;
            break;
        case 'k':
            wish = WISH_CHECK;
            break;
        case 'p':
            wish = WISH_PRINT;
            break;
        case 'h':
            return WISH_HELP;
        case 'V':
            return WISH_VERSION;
        default:
            return WISH_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument %s\n", argv[0], argv[optind]);
        return WISH_USAGE;
    }
    return wish;
}

static enum err load(const struct settings_opts *opts, struct settings **ret)
{
    struct buf faults;
    buf_init(&faults, FAULTS_MAX_BYTES);
    enum err err = settings_load(opts, &faults, ret);
    if (err && faults.length > 0)
        fwrite(faults.data, 1, faults.length, stderr);
    else if (err)
        fprintf(stderr, "%s\n", err_cause());
    buf_fini(&faults);
    return err;
}

static int print(const struct settings *settings)
{
    struct buf out;
    buf_init(&out, PRINT_MAX_BYTES);
    settings_print(settings, &out);
    bool written = !out.failed && fwrite(out.data, 1, out.length, stdout) == out.length && fflush(stdout) == 0;
    buf_fini(&out);
    if (!written)
        fprintf(stderr, "the settings cannot be printed: %s\n", strerror(errno));
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool arguments_read(const struct service_definition *definition, int argc, char **argv, struct arguments *arguments,
                    struct settings **ret_settings, int *ret_status)
{
    struct settings *settings;
    arguments->settings_opts = (struct settings_opts){
        .service = definition->name, .environment = environ, .overrides = arguments->overrides,
        .rules = {service_rules, definition->rules}};
    enum wish wish = parse(argc, argv, arguments);
    switch (wish) {
    case WISH_HELP:
        print_help(definition);
        *ret_status = EXIT_SUCCESS;
        return false;
    case WISH_VERSION:
        printf("tandem-%s %s\n", definition->name, PACKAGE_VERSION);
        *ret_status = EXIT_SUCCESS;
        return false;
    case WISH_USAGE:
        fprintf(stderr, "Try '%s --help'.\n", argv[0]);
        *ret_status = EXIT_USAGE;
        return false;
    default:
        break;
    }
    if (load(&arguments->settings_opts, &settings) != ERR_NONE) {
        *ret_status = EXIT_FAILURE;
        return false;
    }
    if (wish == WISH_RUN) {
        *ret_settings = settings;
        return true;
    }
    *ret_status = wish == WISH_PRINT ? print(settings) : EXIT_SUCCESS;
    settings_unref(settings);
    return false;
}
