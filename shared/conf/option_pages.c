#include "config.h"

#include <inttypes.h>

#include "conf/option.h"
#include "conf/option_alias.h"
#include "conf/option_pages.h"

static const char manual_head[] =
    ".\\\" Written by etc/option-pages from the table in shared/conf/option_table.h: do not edit.\n"
    ".Dd November 23, 2026\n"
    ".Dt TANDEM.CONF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm tandem.conf\n"
    ".Nd settings of the Tandem services\n"
    ".Sh DESCRIPTION\n"
    "The services\n"
    ".Xr tandem-user 8 ,\n"
    ".Xr tandem-order 8\n"
    "and\n"
    ".Xr tandem-inventory 8\n"
    "and the command\n"
    ".Xr tandemctl 1\n"
    "read files in the format of libconfig: the one given with\n"
    ".Fl -config ,\n"
    "and what stands beside it.\n"
    "Groups nest, values end with a semicolon, and comments begin with a hash:\n"
    ".Bd -literal -offset indent\n"
    "log = { level = \"debug\"; };\n"
    "service = {\n"
    "    order = { db = { path = \"/var/lib/tandem/order.db\"; }; };\n"
    "    user = { db = { path = \"/var/lib/tandem/user.db\"; }; };\n"
    "};\n"
    ".Ed\n"
    ".Pp\n"
    "What stands under\n"
    ".Ic service . Ns Ar name\n"
    "counts for the service of that name alone, and wins over the rest of that file.\n"
    ".Pp\n"
    "A value is taken from the last of these that has it:\n"
    ".Bl -enum -compact\n"
    ".It\n"
    "the default;\n"
    ".It\n"
    "the file;\n"
    ".It\n"
    ".Pa tandem. Ns Ev $TANDEM_ENV Ns Pa .conf\n"
    "beside it, when that variable is set, to a word of a-z, 0-9 and hyphens such as dev, staging or prod.\n"
    "That file must then be there: without it a mistyped name would run with other settings than were meant;\n"
    ".It\n"
    ".Pa conf.d/*.conf\n"
    "beside it, in the order of their names as bytes, hidden ones left out;\n"
    ".It\n"
    "the environment, where\n"
    ".Ic log.level\n"
    "is\n"
    ".Ev TANDEM_LOG_LEVEL .\n"
    "Names that OpenTelemetry gives to some of them, listed below, count as well, and less than these;\n"
    ".It\n"
    "the command line,\n"
    ".Fl -set Cm log.level=debug .\n"
    ".El\n"
    ".Pp\n"
    "A later file wins over all of an earlier one, its sections for services included.\n"
    "There is no\n"
    ".Ic @include ;\n"
    "no line of a file begins with an at sign.\n"
    ".Fl -check-config\n"
    "tells everything that is wrong, with file and line, what a service could not start with included, and\n"
    ".Fl -print-config\n"
    "shows every value with the place it came from.\n"
    ".Pp\n"
    "Secrets stand in files of their own, which options name.\n"
    "Such a file is refused when its mode lets other users do anything, or its group change it.\n"
    ".Sh RELOADING\n"
    "A running service reads its settings again within a second after one of the files changed, in whichever way:\n"
    "written, renamed into place, by another target of a link on the way to it, as with\n"
    ".Ql ln -sfn\n"
    "and in Kubernetes.\n"
    ".Dv SIGHUP\n"
    "has them read at once; it is needed where the system cannot tell of changes, such as those that another machine\n"
    "makes to a network file system.\n"
    ".Pp\n"
    "All is read and validated before anything changes.\n"
    "A file that is replaced by renaming is read whole; one that is written in place may be read half-written.\n"
    "When there is a fault, the old settings stay; each fault is logged with file and line,\n"
    ".Pa /readyz\n"
    "has the check\n"
    ".Dq settings\n"
    "as degraded, which does not make the service unready, and\n"
    ".Va tandem_config_reload_failures_total\n"
    "counts it.\n"
    "Requests under way end with the settings that they began with.\n"
    "Options that do not take effect at once keep the value that the service was started with; the log and\n"
    ".Pa /version\n"
    "name those that now have another one.\n"
    ".Pp\n"
    ".Pa /version\n"
    "also has the digest of the settings that are in effect, and when they were read:\n"
    ".Dl {\\(dqdigest\\(dq: \\(dq...\\(dq, \\(dqloaded_at\\(dq: \\(dq...\\(dq, \\(dqawait_restart\\(dq: [...]}\n"
    ".Xr tandemctl 1\n"
    "prints the same digest with\n"
    ".Cm conf digest .\n"
    ".Sh SIGNED SETTINGS\n"
    "With\n"
    ".Ic conf.public_key_file\n"
    "each of the files must have a signature beside it,\n"
    ".Pa tandem.conf.minisig\n"
    "for\n"
    ".Pa tandem.conf ,\n"
    "as\n"
    ".Xr minisign 1\n"
    "and\n"
    ".Cm tandemctl conf sign\n"
    "make it.\n"
    "What is not signed with that key, or was altered, is refused, at the start and at a reload.\n"
    "The option cannot stand in a file: whoever could change an unsigned one could take it out.\n"
    "Give it in the environment or on the command line, and keep the key where who delivers settings cannot write.\n"
    "It is read at the start; another key needs a restart.\n"
    ".Pp\n"
    "A signature says who made a file, not that it is the latest, nor under which name it was meant: whoever can\n"
    "write the folder can put an older signed file back, another signed file in its place, or take one out of\n"
    ".Pa conf.d .\n"
    "The digest shows that.\n"
    ".Sh OPTIONS\n"
    "Those marked as live take effect when the settings are reloaded, others when the service is started.\n";

static const char manual_foot[] =
    ".Sh HEALTH\n"
    ".Pa /healthz\n"
    "tells whether a process can do its work with what it holds itself; whoever keeps it running asks this.\n"
    ".Pa /readyz\n"
    "also tells whether requests should be sent to it.\n"
    "The body lists each check with\n"
    ".Li name ,\n"
    ".Li status ,\n"
    ".Li duration_ms ,\n"
    ".Li time ,\n"
    "when it was made, and\n"
    ".Li cause ;\n"
    "the status of the whole is the worst of them.\n"
    "A check that\n"
    ".Li failed\n"
    "makes the answer 503; with those that are\n"
    ".Li degraded\n"
    "it stays 200.\n"
    ".Bl -tag -width Ds\n"
    ".It Li process , lanes , database , disk\n"
    "Descriptors are left; every reactor goes round its loop; a change reaches the disk; free space is at least\n"
    ".Ic health.disk_free_min_bytes .\n"
    "They fail, and are well again by themselves.\n"
    ".It Li bus\n"
    "Degraded when it holds nine tenths of\n"
    ".Ic bus.max_bytes .\n"
    "Degraded too while a broker is away, or takes no events.\n"
    ".It Li accepting\n"
    "Fails when the process is told to end.\n"
    ".It Li user-service\n"
    "The user service is there and takes the token in\n"
    ".Ic user.token_file .\n"
    "Degraded when not, since what a service knows already it still serves: whom it asked about within\n"
    ".Ic auth.cache_ttl_s ,\n"
    "and everything that needs no token.\n"
    "To take it out of rotation would turn one failure into two, in every instance at once.\n"
    "With\n"
    ".Ic health.needs_hard\n"
    "it fails instead: for where another instance, with a user service of its own, takes over.\n"
    ".It Li lag\n"
    "Degraded when more events than\n"
    ".Ic health.lag_max\n"
    "are yet to be handled.\n"
    ".It Li settings\n"
    "Degraded when the latest reload failed.\n"
    ".El\n"
    ".Pp\n"
    "The first five are those of\n"
    ".Pa /healthz .\n"
    "All are made at once, each within\n"
    ".Ic health.local_timeout_ms\n"
    "or\n"
    ".Ic health.needs_timeout_ms ,\n"
    "so that\n"
    ".Pa /healthz\n"
    "answers within 2 s and\n"
    ".Pa /readyz\n"
    "within 5 s unless these are raised.\n"
    "What was found is told again for\n"
    ".Ic health.cache_ms .\n"
    ".Sh LOG\n"
    "A line is a JSON object:\n"
    ".Li time , level , service , instance , msg ;\n"
    ".Li module ,\n"
    "whose level is\n"
    ".Ic log.level_ Ns Ar module ;\n"
    ".Li request_id , trace_id , span_id , user_id\n"
    "where they are known;\n"
    "then what belongs to the message.\n"
    "One request id finds everything that a request brought about, in all services, through events and payments.\n"
    ".Pp\n"
    "A request's access line has\n"
    ".Li msg No = Qq request ,\n"
    ".Li method , route\n"
    "(the pattern, not the path),\n"
    ".Li status , bytes , duration_ms\n"
    "from the request being whole to its answer, and\n"
    ".Li queue_ms ,\n"
    "the part of it that was spent waiting for a lane, a worker and the writer.\n"
    "An event that took effect has\n"
    ".Li msg No = Qq event applied .\n"
    ".Pp\n"
    "Nothing waits for a log: when its sink stalls, lines are dropped, counted in\n"
    ".Li tandem_log_lines_dropped_total ,\n"
    "and told of when it moves again.\n"
    "As text, lines are coloured on a terminal, unless\n"
    ".Ev NO_COLOR\n"
    "is set.\n"
    "To the syslog a line goes whole, behind the usual head, with the severity of its level.\n"
    "For files there is a sample for\n"
    ".Xr logrotate 8 .\n"
    ".Sh TRACES\n"
    "Each request, event and payment is recorded as spans of a trace, by the names of OpenTelemetry's semantic\n"
    "conventions.\n"
    "A\n"
    ".Li traceparent\n"
    "that comes with a request is continued, and goes on with calls of other services, with events and with payments;\n"
    "without one a new trace begins.\n"
    "So an order is one trace through all services.\n"
    ".Pp\n"
    "At the end of its part of a trace each service decides whether it is kept: when it was sampled by\n"
    ".Ic trace.sampler ,\n"
    "when it failed, or when it took longer than\n"
    ".Ic trace.slow_ms .\n"
    "What is kept goes to the memory of recent traces, which\n"
    ".Pa /traces\n"
    "lists,\n"
    ".Pa /traces/ Ns Ar id\n"
    "gives as OTLP in JSON, and\n"
    ".Cm tandemctl trace show\n"
    "draws.\n"
    "Nothing waits for a trace: what does not fit in a queue is dropped, and counted in\n"
    ".Li tandem_trace_spans_dropped_total .\n"
    "What is asked for all the time, such as\n"
    ".Pa /readyz ,\n"
    "is kept only when it fails or is slow, or its caller traces it.\n"
    ".Sh TRANSPORTS\n"
    "The native transport reads with one thread a core and never waits for a peer.\n"
    "The other one,\n"
    ".Ic server.transport No = Qq libfcgi ,\n"
    "is the FastCGI library with what it needs to be safe, and a thread for each request under way, 16 unless\n"
    ".Ic server.lanes\n"
    "says otherwise.\n"
    "It keeps the same limits and deadlines.\n"
    "What the library cannot do, and that transport therefore does not:\n"
    ".Bl -bullet -compact\n"
    ".It\n"
    "A slow or silent peer holds a thread up to its deadline, and deadlines are kept to within 50 ms.\n"
    ".It\n"
    "Parameters are bounded only after the library has read them all into memory.\n"
    ".It\n"
    "While a request is under way nothing is read: an abort is not seen, what the front sends meanwhile is lost, and\n"
    "requests cannot be sent one behind another.\n"
    ".It\n"
    "A request whose parameters are cut, whose records are out of order, that is aborted while it comes in, or\n"
    "that has another role than responder closes the connection instead of being answered.\n"
    ".It\n"
    "An empty record of another request makes it pass over the record that follows, and padding of the last record\n"
    "of a body must arrive with it.\n"
    ".It\n"
    "A query of its limits is always answered with one connection and one request.\n"
    "A query that repeats names overruns a buffer in the library and ends the process, as does a parameter that\n"
    "claims to be longer than memory, so the socket must be for the front alone; other management records leak 48\n"
    "bytes each.\n"
    ".It\n"
    "A zero byte in a parameter ends it, and a name with an equals sign in it is cut there.\n"
    ".It\n"
    "Without memory the library ends the process.\n"
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width indent -compact\n"
    ".It Pa /etc/tandem/tandem.conf\n"
    "under the prefix that Tandem was built for: where\n"
    ".Xr tandemctl 1\n"
    "and the units of systemd look.\n"
    ".It Pa tandem.dev.conf , tandem.staging.conf , tandem.prod.conf\n"
    "beside it: samples for these values of\n"
    ".Ev TANDEM_ENV .\n"
    ".El\n"
    ".Sh SEE ALSO\n"
    ".Xr minisign 1 ,\n"
    ".Xr tandemctl 1 ,\n"
    ".Xr tandem-inventory 8 ,\n"
    ".Xr tandem-order 8 ,\n"
    ".Xr tandem-user 8\n";

static const char sample_head[] =
    "# Settings of the Tandem services; see tandem.conf(5). Each option stands here with its default.\n";

/* Of the samples for one environment: what is not commented out. */
static const struct difference {
    const char *environment;
    enum option_id option;
    const char *value;
} differences[] = {
    {"dev", OPTION_LOG_LEVEL, "debug"},
    {"dev", OPTION_LOG_FORMAT, "text"},
    {"staging", OPTION_LOG_LEVEL, "debug"},
    {"staging", OPTION_SESSION_LIFETIME_S, "3600"},
    {"prod", OPTION_LOG_LEVEL, "info"},
    {"prod", OPTION_SERVER_DRAIN_TIMEOUT_MS, "30000"},
    {"prod", OPTION_TRACE_SAMPLER, "parentbased_traceidratio"},
    {"prod", OPTION_TRACE_RATIO, "0.1"},
};

/* What no default can say: it differs from service to service. */
static const char sample_foot[] =
    "\n"
    "# What only one of the services is to have stands under its name.\n"
    "service = {\n"
    "    user = { db = { path = \"/var/lib/tandem/user.db\"; }; };\n"
    "    order = { db = { path = \"/var/lib/tandem/order.db\"; }; };\n"
    "    inventory = { db = { path = \"/var/lib/tandem/inventory.db\"; }; };\n"
    "};\n";

static void write_value(const struct option *option, const char *value, struct buf *out)
{
    const char *quote = option->type == OPTION_TEXT || option->octal ? "\"" : "";
    buf_addf(out, "%s%s%s", quote, value, quote);
}

static bool is_first_alias(size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (option_aliases[i].option == option_aliases[at].option
            && text_equal_string(text_of(option_aliases[i].variable), option_aliases[at].variable))
            return false;
    }
    return true;
}

/* The variables of others that set it, once each. */
static void write_aliases(const struct option *option, struct buf *out)
{
    const char *before = "Also\n.Ev ";
    for (size_t i = 0; i < option_alias_count; i++) {
        if (&option_table[option_aliases[i].option] != option || !is_first_alias(i))
            continue;
        buf_addf(out, "%s%s", before, option_aliases[i].variable);
        before = " , ";
    }
    if (before[0] == ' ')
        buf_add_string(out, " .\n");
}

/* In mdoc a line that begins with a dot or an apostrophe is a command; none of the table's help does. */
static void write_entry(const struct option *option, struct buf *out)
{
    buf_addf(out, ".It Ic %s No =\\ ", option->path);
    write_value(option, option->initial, out);
    buf_addf(out, "\n%s.\n", option->help);
    if (option->octal)
        buf_addf(out, "From %04" PRIo64 " to %04" PRIo64 ".\n", option->min, option->max);
    else if (option->type == OPTION_INTEGER)
        buf_addf(out, "From %" PRId64 " to %" PRId64 "%s%s.\n", option->min, option->max, *option->unit ? " " : "",
                 option->unit);
    if (option->choices)
        buf_addf(out, "One of\n.Li %s .\n", option->choices);
    if (option->effect == OPTION_LIVE)
        buf_add_string(out, "Live.\n");
    if (option->secret)
        buf_add_string(out, "Names a secret file.\n");
    if (option->hidden)
        buf_add_string(out, "Taken from the environment only, and never shown.\n");
    else if (option->outside)
        buf_add_string(out, "Taken from the environment and the command line only.\n");
    write_aliases(option, out);
}

void option_manual(struct buf *out)
{
    buf_add_string(out, manual_head);
    buf_add_string(out, ".Bl -tag -width indent\n");
    for (size_t i = 0; i < option_count; i++)
        write_entry(&option_table[i], out);
    buf_add_string(out, ".El\n");
    option_manual_faults(out);
    buf_add_string(out, manual_foot);
}

/* Its value in this environment; NULL when it is as everywhere. */
static const char *difference(const char *environment, enum option_id option)
{
    for (size_t i = 0; environment && i < sizeof differences / sizeof differences[0]; i++) {
        if (differences[i].option == option && text_equal_string(text_of(environment), differences[i].environment))
            return differences[i].value;
    }
    return NULL;
}

void option_sample(const char *environment, struct buf *out)
{
    struct text group = TEXT_NONE;
    if (environment)
        buf_addf(out, "# What is different where TANDEM_ENV is %s; see tandem.conf(5). Each option stands here with "
                      "its default.\n", environment);
    else
        buf_add_string(out, sample_head);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &option_table[i];
        const char *value = difference(environment, (enum option_id)i);
        struct text name = text_of(option->path);
        struct text this_group = text_split(&name, '.');
        if (!text_equal(this_group, group)) {
            buf_addf(out, "%s\n%.*s = {\n", group.at ? "};\n" : "", TEXT_ARGS(this_group));
            group = this_group;
        }
        buf_addf(out, "    # %s%s%s%s\n    %s%.*s = ", option->help, *option->unit ? "; in " : "", option->unit,
                 option->hidden    ? "; only in the environment"
                 : option->outside ? "; only in the environment and on the command line"
                                   : "",
                 value ? "" : "# ",
                 TEXT_ARGS(name));
        write_value(option, value ? value : option->initial, out);
        buf_add_string(out, ";\n");
    }
    buf_add_string(out, "};\n");
    if (!environment)
        buf_add_string(out, sample_foot);
}
