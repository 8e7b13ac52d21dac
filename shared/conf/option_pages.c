#include "config.h"

#include <inttypes.h>

#include "conf/option.h"
#include "conf/option_pages.h"

static const char manual_head[] =
    ".\\\" Written by etc/option-pages from the table in shared/conf/option_table.c: do not edit.\n"
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
    "read one file in the format of libconfig, given with\n"
    ".Fl -config .\n"
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
    "counts for the service of that name alone, and wins over the rest of the file.\n"
    ".Pp\n"
    "A value is taken from the last of these that has it: the default; the file; the file's section for the service;\n"
    "the environment, where\n"
    ".Ic log.level\n"
    "is\n"
    ".Ev TANDEM_LOG_LEVEL ;\n"
    "and the command line,\n"
    ".Fl -set Cm log.level=debug .\n"
    ".Fl -check-config\n"
    "tells everything that is wrong, with file and line, and\n"
    ".Fl -print-config\n"
    "shows every value with the place it came from.\n"
    ".Sh OPTIONS\n";

static const char manual_foot[] =
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
    ".Sh SEE ALSO\n"
    ".Xr tandemctl 1 ,\n"
    ".Xr tandem-inventory 8 ,\n"
    ".Xr tandem-order 8 ,\n"
    ".Xr tandem-user 8\n";

static const char sample_head[] =
    "# Settings of the Tandem services; see tandem.conf(5). Each option stands here with its default.\n";

/* What no default can say: it differs from service to service. */
static const char sample_foot[] =
    "\n"
    "# What only one of the services is to have stands under its name.\n"
    "service = {\n"
    "    user = { db = { path = \"/var/lib/tandem/user.db\"; }; };\n"
    "    order = { db = { path = \"/var/lib/tandem/order.db\"; }; };\n"
    "    inventory = { db = { path = \"/var/lib/tandem/inventory.db\"; }; };\n"
    "};\n";

static void write_default(const struct option *option, struct buf *out)
{
    const char *quote = option->type == OPTION_TEXT ? "\"" : "";
    buf_addf(out, "%s%s%s", quote, option->initial, quote);
}

/* In mdoc a line that begins with a dot or an apostrophe is a command; none of the table's help does. */
static void write_entry(const struct option *option, struct buf *out)
{
    buf_addf(out, ".It Ic %s No =\\ ", option->path);
    write_default(option, out);
    buf_addf(out, "\n%s.\n", option->help);
    if (option->type == OPTION_INTEGER)
        buf_addf(out, "From %" PRId64 " to %" PRId64 "%s%s.\n", option->min, option->max, *option->unit ? " " : "",
                 option->unit);
    if (option->choices)
        buf_addf(out, "One of\n.Li %s .\n", option->choices);
    if (option->effect == OPTION_LIVE)
        buf_add_string(out, "A change takes effect at once.\n");
}

void option_manual(struct buf *out)
{
    buf_add_string(out, manual_head);
    buf_add_string(out, ".Bl -tag -width indent\n");
    for (size_t i = 0; i < option_count; i++)
        write_entry(&option_table[i], out);
    buf_add_string(out, ".El\n");
    buf_add_string(out, manual_foot);
}

void option_sample(struct buf *out)
{
    struct text group = TEXT_NONE;
    buf_add_string(out, sample_head);
    for (size_t i = 0; i < option_count; i++) {
        struct text name = text_of(option_table[i].path);
        struct text this_group = text_split(&name, '.');
        if (!text_equal(this_group, group)) {
            buf_addf(out, "%s\n%.*s = {\n", group.at ? "};\n" : "", TEXT_ARGS(this_group));
            group = this_group;
        }
        buf_addf(out, "    # %s%s%s\n    # %.*s = ", option_table[i].help, *option_table[i].unit ? "; in " : "",
                 option_table[i].unit, TEXT_ARGS(name));
        write_default(&option_table[i], out);
        buf_add_string(out, ";\n");
    }
    buf_add_string(out, "};\n");
    buf_add_string(out, sample_foot);
}
