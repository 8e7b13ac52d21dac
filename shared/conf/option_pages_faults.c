/* The part of tandem.conf(5) that tells of faults on demand, with the table of their points. */
#include "config.h"

#include "base/fault.h"
#include "conf/option_pages.h"

static const char faults_head[] =
    ".Sh FAULTS ON DEMAND\n"
    "To rehearse what a service and its operator do when something goes wrong,\n"
    ".Ic fault.points\n"
    "makes it go wrong at named points of the program.\n"
    "It is a list of rules with commas between them; a rule is a point, what happens there, and when:\n"
    ".Bd -literal -offset indent\n"
    "fault = { points = \"relay-before-mark kill nth=3, db-read delay=50 probability=0.1\"; };\n"
    ".Ed\n"
    ".Pp\n"
    "What happens is one of\n"
    ".Li delay= Ns Ar ms ,\n"
    ".Li kill\n"
    "(the process ends at once, as by\n"
    ".Dv SIGKILL ) ,\n"
    "and where the table below has it\n"
    ".Li error\n"
    "(what would have been done fails) or\n"
    ".Li drop\n"
    "(it was done, and its answer is lost).\n"
    "It happens each time, unless there is\n"
    ".Li nth= Ns Ar n ,\n"
    "from the n-th time on that the point is reached, and then once;\n"
    ".Li count= Ns Ar n ,\n"
    "at most so often; or\n"
    ".Li probability= Ns Ar p ,\n"
    "each time with this chance, 0.000001 to 1.\n"
    "Counting begins when the rules are read, at the start and whenever they change.\n"
    "A delay at\n"
    ".Li request\n"
    "or\n"
    ".Li db-read\n"
    "holds up what the same lane serves.\n"
    ".Pp\n"
    "Rules take effect with the next reload, and an empty text ends them.\n"
    "What is armed is logged as a warning;\n"
    ".Va tandem_faults_total\n"
    "counts what happened.\n"
    "Where\n"
    ".Ev TANDEM_ENV\n"
    "is prod, settings with rules are refused unless\n"
    ".Ic fault.force\n"
    "is on.\n"
    "The points:\n"
    ".Bl -tag -width indent\n";

void option_manual_faults(struct buf *out)
{
    buf_add_string(out, faults_head);
    for (size_t i = 0; i < FAULT_POINTS; i++) {
        const struct fault_row *row = &fault_table[i];
        buf_addf(out, ".It Li %s No ( delay , kill%s%s )\n%s.\n", row->name,
                 row->actions & FAULT_ERROR ? " , error" : "", row->actions & FAULT_DROP ? " , drop" : "", row->help);
    }
    buf_add_string(out, ".El\n");
}
