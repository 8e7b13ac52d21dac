#include "config.h"

#include "telemetry/metric_page.h"
#include "telemetry/metric_private.h"

static const char head[] =
    ".\\\" Written by etc/option-pages from the table in shared/telemetry/metric_table.h: do not edit.\n"
    ".Dd November 26, 2026\n"
    ".Dt TANDEM-METRICS 7\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm tandem-metrics\n"
    ".Nd what the Tandem services count\n"
    ".Sh DESCRIPTION\n"
    "Each of\n"
    ".Xr tandem-user 8 ,\n"
    ".Xr tandem-order 8\n"
    "and\n"
    ".Xr tandem-inventory 8\n"
    "answers\n"
    ".Li GET /metrics\n"
    "in Prometheus' text format 0.0.4, or in OpenMetrics 1.0 to whoever prefers that by its\n"
    ".Li Accept\n"
    "header field; the latter has exemplars: for each bucket of a request's duration, the trace of a request that\n"
    "fell into it.\n"
    "The front passes it on as\n"
    ".Li /user/metrics , /order/metrics\n"
    "and\n"
    ".Li /inventory/metrics ,\n"
    "to private addresses only.\n"
    ".Pp\n"
    "When several processes of a service share its socket, each of them tells of all: the sums are kept in a file\n"
    "beside the database, with the suffix\n"
    ".Pa -metrics .\n"
    "What a process counted stays when it ends, however it ends, until the machine is started anew or another\n"
    "version is run; what is true only of a living process ends with it.\n"
    "Up to 16 processes are told apart.\n"
    "Where the file cannot be had, the log says so at the start, and each process tells of itself.\n"
    ".Pp\n"
    "With\n"
    ".Va metrics.enabled\n"
    "off nothing is counted, and\n"
    ".Li /metrics\n"
    "is answered 404.\n"
    ".Sh METRICS\n"
    "A name and its labels, what it tells, its type, what it is measured in, and what it says of several processes\n"
    "of a service.\n"
    "Counters and gauges without a unit are numbers of things.\n"
    ".Bl -tag -width Ds\n";

static const char foot[] =
    ".El\n"
    ".Pp\n"
    "Label values are from closed sets: the pattern of a route and not a path, a status that the services answer\n"
    "with or\n"
    ".Dq other .\n"
    ".Sh SEE ALSO\n"
    ".Xr tandem.conf 5 ,\n"
    ".Xr tandem-inventory 8 ,\n"
    ".Xr tandem-order 8 ,\n"
    ".Xr tandem-user 8\n";

static const struct {
    const char *type, *of_processes;
} types[] = {
    [COUNTER] = {"counter", ", the sum over the processes"},
    [SHARED_COUNTER] = {"counter", ", of what the processes have in common"},
    [GAUGE] = {"gauge", ", the sum over the processes"},
    [LEAST_GAUGE] = {"gauge", ", the least among the processes"},
    [GREATEST_GAUGE] = {"gauge", ", the greatest among the processes"},
    [SHARED_GAUGE] = {"gauge", ", of what the processes have in common"},
    [HISTOGRAM] = {"histogram", ", the sum over the processes"},
    [TRACED_HISTOGRAM] = {"histogram", ", the sum over the processes, with exemplars"},
};

static const char *const units[] = {[ONE] = "", [BYTES] = " of bytes", [SECONDS] = " of seconds"};

void metric_manual(struct buf *out)
{
    buf_add_string(out, head);
    for (enum metric metric = 0; metric < METRICS; metric++) {
        const struct metric_row *row = &metric_rows[metric];
        buf_addf(out, ".It Li %s", row->name);
        struct text labels = text_of(row->labels);
        while (labels.length > 0) {
            struct text label = text_split(&labels, ',');
            buf_addf(out, " Va %.*s", TEXT_ARGS(label));
        }
        buf_addf(out, "\n%s.\n.Pq %s%s%s\n", row->help, types[row->type].type, units[row->unit],
                 types[row->type].of_processes);
    }
    buf_add_string(out, foot);
}
