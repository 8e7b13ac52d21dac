/* tandemctl: the operator's command. Exit status: 0 done, 1 failed, 2 called wrongly. */
#include "config.h"

#include "apps/ctl/commands.h"

#define END {NULL, NULL, NULL, false}

static const struct ctl_option user_create_options[] = {
    {"email", "ADDRESS", "what one signs in with", true},
    {"name", "NAME", "the name of the person or service", true},
    {"password-file", "FILE", "its first line is the password; else it is asked for on the terminal", false},
    {"admin", NULL, "make it an admin", false},
    {"service", NULL, "make it a service, which introspects tokens", false},
    END,
};

static const struct ctl_option token_create_options[] = {
    {"email", "ADDRESS", "of the service's account", true},
    {"file", "PATH", "where to put the token; replaced when it exists, mode 0600", true},
    {"days", "N", "how long it is valid (default: 365)", false},
    END,
};

static const struct ctl_option get_options[] = {
    {"timeout-ms", "N", "for all of it (default: 5000)", false},
    END,
};

static const struct ctl_option status_options[] = {
    {"socket", "NAME=ADDRESS", "ask this instead of what the settings say; may be repeated", false},
    {"timeout-ms", "N", "for each service (default: 6000)", false},
    END,
};

static const struct ctl_option supervise_options[] = {
    {"listen", "ADDRESS", "unix:/path.sock, 127.0.0.1:9001 or [::1]:9001; not used when a socket is inherited", false},
    {"socket-mode", "N", "permission bits of the unix socket, in decimal (default: 432, which is 0660)", false},
    {"workers", "N", "processes (default: 1)", false},
    {"ready-timeout-ms", "N", "for a worker to become ready (default: 30000)", false},
    {"stop-timeout-ms", "N", "for a worker to end; then it is killed (default: 30000)", false},
    END,
};

static const struct ctl_option conf_print_options[] = {
    {"service", "NAME", "as user, order or inventory has them (default: what all share)", false},
    END,
};

static const struct ctl_option conf_digest_options[] = {
    {"service", "NAME", "user, order or inventory", true},
    END,
};

static const struct ctl_option conf_keygen_options[] = {
    {"public-key", "FILE", "where to put the public key, for conf.public_key_file", true},
    {"secret-key", "FILE", "where to put the secret key, mode 0600, without a password", true},
    END,
};

static const struct ctl_option conf_sign_options[] = {
    {"secret-key", "FILE", "minisign's, without a password", true},
    {"comment", "TEXT", "the trusted comment (default: the time and the name of the file)", false},
    END,
};

static const struct ctl_option conf_verify_options[] = {
    {"public-key", "FILE", "minisign's", true},
    END,
};

static const struct ctl_option no_options[] = {END};

static const struct command commands[] = {
    {"user create", NULL, 0, "make an account, of a customer unless told otherwise",
     "Makes an account in the user service's database, and prints its id.\n"
     "Run it as the user that the service runs as, so that the database stays that user's.",
     true, user_create_options, command_user_create},
    {"token create", NULL, 0, "give a service its bearer token",
     "Makes a long-lived session for a service's account and writes its token to a file, for user.token_file of\n"
     "order and inventory. Tokens made before stay valid until their own end.",
     true, token_create_options, command_token_create},
    {"get", "ADDRESS PATH", 2, "ask a service directly, without a web server",
     "Sends GET PATH to the FastCGI socket at ADDRESS (unix:/path.sock, 127.0.0.1:9001) and prints the body.\n"
     "Exit status 0 when the answer is a 2xx, 1 otherwise.",
     false, get_options, command_get},
    {"status", NULL, 0, "whether the services are ready, as a table",
     "Asks /readyz of every service at its server.listen, or at the socket that the systemd units hold.\n"
     "Exit status 0 when all are ready.",
     true, status_options, command_status},
    {"supervise", "-- PROGRAM [ARGUMENT...]", 0, "hold a socket and keep processes of a service behind it",
     "Listens, and runs PROGRAM, a service, with the socket as descriptor 0. One that ends is started again.\n"
     "SIGHUP replaces them one by one and loses no request; SIGTERM ends all.",
     false, supervise_options, command_supervise},
    {"conf check", NULL, 0, "say everything that is wrong with the settings",
     "Reads the settings as each of the services would.", true, no_options, command_conf_check},
    {"conf print", NULL, 0, "print every setting, its help, and where its value comes from",
     "Prints the settings in the form of a file.", true, conf_print_options, command_conf_print},
    {"conf digest", NULL, 0, "print the digest that a service's /version has when it runs with the settings",
     "The digest is of every value but of what secret files hold. Give what the service is given: the same --config,\n"
     "--set and environment.",
     true, conf_digest_options, command_conf_digest},
    {"conf keygen", NULL, 0, "make a pair of keys to sign settings with",
     "As minisign -G -W does: the secret key has no password, so its file's mode is what protects it. Prints the id.",
     false, conf_keygen_options, command_conf_keygen},
    {"conf sign", "FILE...", 1, "sign settings files",
     "Writes FILE.minisig beside each, as minisign -S does. The secret key must be without a password; with one, sign\n"
     "with minisign.",
     false, conf_sign_options, command_conf_sign},
    {"conf verify", "FILE...", 1, "verify the signatures of settings files",
     "Verifies each FILE by the FILE.minisig beside it. Exit status 0 when all are signed by the key.",
     false, conf_verify_options, command_conf_verify},
    {NULL, NULL, 0, NULL, NULL, false, NULL, NULL},
};

int main(int argc, char **argv)
{
    return invocation_run(commands, argc, argv);
}
