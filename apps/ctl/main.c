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

static const struct ctl_option trace_list_options[] = {
    {"service", "NAME", "as this service alone knows them (default: all)", false},
    {"limit", "N", "so many, the newest (default: 20)", false},
    {"socket", "NAME=ADDRESS", "ask this instead of what the settings say; may be repeated", false},
    {"timeout-ms", "N", "for each service (default: 5000)", false},
    END,
};

static const struct ctl_option trace_show_options[] = {
    {"socket", "NAME=ADDRESS", "ask this instead of what the settings say; may be repeated", false},
    {"timeout-ms", "N", "for each question (default: 5000)", false},
    END,
};

static const struct ctl_option endpoints_options[] = {
    {"socket", "NAME=ADDRESS", "ask this instead of what the settings say; may be repeated", false},
    {"timeout-ms", "N", "for each service (default: 5000)", false},
    END,
};

static const struct ctl_option front_render_options[] = {
    {"out", "FILE", "where to put it, whole or not at all (default: standard output)", false},
    {"pid-file", "FILE", "of the web server, which is told to begin anew when FILE has changed", false},
    {"watch", NULL, "go on, and do it again whenever the instances change, until SIGTERM", false},
    {"timeout-ms", "N", "for the registry to answer at first (default: 10000)", false},
    END,
};

static const struct ctl_option supervise_options[] = {
    {"listen", "ADDRESS", "unix:/path.sock, 127.0.0.1:9001 or [::1]:9001; not used when a socket is inherited", false},
    {"socket-mode", "N", "permission bits of the unix socket: octal, as 0660, which is the default", false},
    {"workers", "N", "processes (default: 1)", false},
    {"ready-timeout-ms", "N", "for a worker to become ready (default: 30000)", false},
    {"stop-timeout-ms", "N", "for a worker to end; then it is killed (default: 30000)", false},
    END,
};

static const struct ctl_option events_list_options[] = {
    {"type", "TYPE", "of this type; with asterisks of several, \"order.*\"", false},
    {"subject", "SUBJECT", "about this order, item or user", false},
    {"since", "TIME", "published from then on: 2026-11-23T17:05:09Z, or so long ago: 90s, 15m, 2h, 7d", false},
    {"until", "TIME", "published before that", false},
    {"limit", "N", "so many, the newest (default: 50)", false},
    {"json", NULL, "the envelopes, one a line", false},
    END,
};

static const struct ctl_option json_options[] = {
    {"json", NULL, "as JSON, on one line", false},
    END,
};

static const struct ctl_option events_dead_list_options[] = {
    {"group", "NAME", "of this service alone", false},
    {"type", "TYPE", "of this type; with asterisks of several", false},
    {"subject", "SUBJECT", "about this order or item; with asterisks about several", false},
    {"since", "TIME", "died from then on: 2026-11-23T17:05:09Z, or so long ago: 90s, 15m, 2h, 7d", false},
    {"until", "TIME", "died before that", false},
    {"decided", NULL, "instead what was decided: who has sent again or dropped which, when and why", false},
    {"json", NULL, "an object a line", false},
    END,
};

static const struct ctl_option events_dead_show_options[] = {
    {"group", "NAME", "of this service alone", false},
    {"json", NULL, "an object a line, one for each service that could not handle it", false},
    END,
};

static const struct ctl_option events_dead_decide_options[] = {
    {"group", "NAME", "of this service", false},
    {"type", "TYPE", "of this type; with asterisks of several", false},
    {"subject", "SUBJECT", "about this order or item; with asterisks about several", false},
    {"since", "TIME", "died from then on: 2026-11-23T17:05:09Z, or so long ago: 90s, 15m, 2h, 7d", false},
    {"until", "TIME", "died before that", false},
    {"all", NULL, "all there are", false},
    {"reason", "TEXT", "kept with the decision", false},
    {"yes", NULL, "do it; without, what would be done is printed", false},
    END,
};

static const struct ctl_option db_backup_options[] = {
    {"to", "DIR", "the folder to make", true},
    END,
};

static const struct ctl_option db_restore_options[] = {
    {"from", "DIR", "the backup", true},
    {"force", NULL, "replace databases that are there", false},
    END,
};

static const struct ctl_option db_check_options[] = {
    {"from", "DIR", "check this backup instead", false},
    END,
};

static const struct ctl_option db_copy_options[] = {
    {"password-file", "FILE", "with the password for a server, when a URL is given", false},
    {"unfinished", NULL, "leave the copy unfinished: another run brings over what has changed by then", false},
    {"progress", NULL, "tell how far it is on standard error, also when that is no terminal", false},
    END,
};

static const struct ctl_option db_digest_options[] = {
    {"password-file", "FILE", "with the password for a server, when a URL is given", false},
    {"progress", NULL, "tell how far it is on standard error, also when that is no terminal", false},
    END,
};

static const struct ctl_option conf_check_options[] = {
    {"service", "NAME", "as user, order or inventory reads them (default: as each of them)", false},
    {"elsewhere", NULL, "not on the machine they are for: the files that they name are not looked for", false},
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
    {"trace list", NULL, 0, "the recent traces of the services, as a table",
     "Asks GET /traces of every service, at the places that status asks. Exit status 0 when one at least has answered.",
     true, trace_list_options, command_trace_list},
    {"trace show", "ID", 1, "draw a trace over all services, as a waterfall",
     "ID is that of a trace, of a request or of an order. Asks every service for its part, where status asks.\n"
     "Exit status 0 when the trace was found.",
     true, trace_show_options, command_trace_show},
    {"endpoints", NULL, 0, "which instances of others the services see, and why one is not called",
     "Asks GET /endpoints of every service, at the places that status asks. SHARE is below 100% while an instance is\n"
     "new, CALLS are under way. Exit status 0 when all have answered.",
     true, endpoints_options, command_endpoints},
    {"front render", "nginx|lighttpd", 1, "write the web server's upstream lists from discovery",
     "Writes where the services take FastCGI, by their instances of scheme fcgi, as a file that the web server\n"
     "includes: for nginx the upstream blocks, for lighttpd fastcgi.server. The server begins anew without losing a\n"
     "request: nginx by SIGHUP, lighttpd by SIGUSR1. While the registry is away the file stays as it is.",
     true, front_render_options, command_front_render},
    {"supervise", "-- PROGRAM [ARGUMENT...]", 0, "hold a socket and keep processes of a service behind it",
     "Listens, and runs PROGRAM, a service, with the socket as descriptor 0. One that ends is started again.\n"
     "SIGHUP replaces them one by one and loses no request; SIGTERM ends all.",
     false, supervise_options, command_supervise},
    {"events list", NULL, 0, "the events on the bus, as a table",
     "Prints the newest events that fit, the oldest of them first. What every group has read is dropped from the\n"
     "bus after bus.retention_s. Run it, and the others below, as the user that the services run as; they may be\n"
     "running.",
     true, events_list_options, command_events_list},
    {"events show", "ID", 1, "an event on the bus, whole",
     "Prints the envelope and the data of the event, and which groups are past it. Exit status 0 when it is there.",
     true, json_options, command_events_show},
    {"events lag", NULL, 0, "how far behind each group and each outbox is",
     "Prints how many events each group has yet to handle and how old the oldest is, and of each service how many\n"
     "wait in its outbox, how many are set aside to be tried again, and how many are dead letters.",
     true, json_options, command_events_lag},
    {"events dead list", NULL, 0, "the dead letters of all services, as a table",
     "A dead letter is an event that a service has tried to handle events.attempts_max times. WAITING is how many\n"
     "events of the same subject are set aside.",
     true, events_dead_list_options, command_events_dead_list},
    {"events dead show", "ID", 1, "a dead letter, with all that is known about it",
     "Prints the event, each of its latest failures, what is set aside of the same subject, and what was decided\n"
     "about it. ID is that of the event. Exit status 0 when it is a dead letter, or was one.",
     true, events_dead_show_options, command_events_dead_show},
    {"events dead redrive", "[ID...]", 0, "have dead letters handled again",
     "Chooses those that fit all that is said, and prints them; with --yes they are handled as if they were new,\n"
     "within a second, before what is set aside of the same subject. One that has had its effect has no second one.",
     true, events_dead_decide_options, command_events_dead_redrive},
    {"events dead discard", "[ID...]", 0, "drop dead letters for good",
     "Chooses those that fit all that is said, and prints them; with --yes they are dropped. Who did so, when and\n"
     "why, and the event itself, are kept: see 'tandemctl events dead list --decided'.",
     true, events_dead_decide_options, command_events_dead_discard},
    {"db backup", NULL, 0, "copy all databases, as of one moment, while they are in use",
     "Makes DIR with a copy of each database of the settings, and a manifest. The services may be running; they are\n"
     "held for a moment. Run it, and the others below, as the user that the services run as.",
     true, db_backup_options, command_db_backup},
    {"db restore", NULL, 0, "put the databases of a backup in place",
     "Verifies the backup and puts its copies where the settings have the databases. Stop the services before.\n"
     "When it is cut off, no service starts until it was run again.",
     true, db_restore_options, command_db_restore},
    {"db check", NULL, 0, "whether the databases are whole, and of this program's schema",
     "Reads all of each database: pages and indexes, foreign keys, migrations. Changes nothing; the services may be\n"
     "running. Exit status 0 when all are good.",
     true, db_check_options, command_db_check},
    {"db vacuum", NULL, 0, "give back the room that deleted rows have left",
     "Writes each database anew. A running service's changes wait meanwhile, up to db.busy_timeout_ms.",
     true, no_options, command_db_vacuum},
    {"db copy", "FROM TO", 2, "copy a service's database to another engine, or another place",
     "FROM and TO are files, sqlite:PATH, postgresql://… or the name of a service, whose database the settings say.\n"
     "Copies FROM as of one moment, while it may be in use, and reads the copy back; prints each table's rows and\n"
     "digest. TO is empty, or a copy that was cut off or left unfinished, which is gone on with.",
     true, db_copy_options, command_db_copy},
    {"db digest", "DATABASE", 1, "print how many rows each table has, and their digest",
     "DATABASE is as in 'db copy'. Two databases of the same lines hold the same, on whichever engine they are.",
     true, db_digest_options, command_db_digest},
    {"conf check", NULL, 0, "say everything that is wrong with the settings",
     "Reads the settings as each of the services would, and refuses what a service could not start with.", true,
     conf_check_options, command_conf_check},
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
