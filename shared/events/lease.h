/*
 * What one process of a service does for all of them: the numbers of the leases (state/db.h) in the service's database.
 */
#ifndef TANDEM_EVENTS_LEASE_H
#define TANDEM_EVENTS_LEASE_H

enum {
    LEASE_RELAY,          /* publishing, for as long as there is something to publish; or events would change places */
    LEASE_BACKGROUND,     /* for a process's life: consuming, and what an application does that events bring about. One
                             lease for both, so that what an event makes due is done by the process that applied it */
};

enum { LEASE_ASK_MS = 250 };     /* who does not hold it asks this often */

#endif
