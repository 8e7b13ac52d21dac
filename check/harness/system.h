/*
 * The whole system, for a test: the three services (spawned by spawn-fcgi, or kept by tandemctl supervise), and a web
 * server in front of them with the configuration of etc/, on a free port, in a temporary folder, with an administrator,
 * a customer, and the services' own accounts. One thread: main().
 *
 * With TANDEM_VALGRIND=1 the services run under valgrind, and a leak is a bad exit status. Programs come from
 * TANDEM_BUILDDIR, configurations from TANDEM_SRCDIR. TANDEM_DATABASE=postgresql is as if every system asked for it.
 */
#ifndef TANDEM_CHECK_HARNESS_SYSTEM_H
#define TANDEM_CHECK_HARNESS_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "check/harness/http_client.h"
#include "check/harness/postgres.h"

enum system_service { SYSTEM_USER, SYSTEM_INVENTORY, SYSTEM_ORDER, SYSTEM_SERVICES };

struct system;

struct system_opts {
    const char *front;               /* "nginx" or "lighttpd" */
    const char *transport;           /* "native" or "libfcgi" */
    unsigned workers;                /* of each service, under tandemctl supervise; 0: one, under spawn-fcgi */
    bool postgresql;                 /* state is in a PostgreSQL server of the system's own */
    unsigned rabbitmq;               /* events go through a RabbitMQ of so many nodes; 0: through the embedded bus */
    bool access_log;                 /* of the front, log/access.log */
    const char *const *settings;     /* further ones of all services, "path=value", ends with NULL; may be NULL */
};

/** Starts all and waits until it is ready. What went wrong is in err_cause(). */
enum err must_check system_start(const struct system_opts *opts, struct system **ret);

/** Stops all with SIGTERM, removes the folder. An error when a service did not exit with 0 (valgrind's findings are
 *  such a status). NULL is fine. */
enum err must_check system_stop(struct system *system);

/** "user", "inventory", "order". */
const char *system_service_name(enum system_service service);

const char *system_url(const struct system *system);
unsigned system_port(const struct system *system);
const char *system_folder(const struct system *system);

/** The server; NULL when there is none. Of RabbitMQ there is one at a time (check/harness/rabbitmq.h). */
struct postgres *system_postgres(const struct system *system);

/** Paths; each valid until the next call. */
const char *system_socket(const struct system *system, enum system_service service);
const char *system_database(const struct system *system, enum system_service service);

/** The processes of a service that is supervised, up to max; returns how many there are. */
size_t system_workers(const struct system *system, enum system_service service, pid_t *ret_pids, size_t max);

/** Has the supervisor replace them all, and waits until it has. False when it has not in time. */
bool system_restart(struct system *system, enum system_service service);

/** One service at a time, in the middle of everything. down: with SIGTERM, as system_stop(); killed: SIGKILL. */
enum err must_check system_service_down(struct system *system, enum system_service service);
void system_service_killed(struct system *system, enum system_service service);
/** Starts it again and waits until it is ready. */
enum err must_check system_service_up(struct system *system, enum system_service service);

/** The process of a service; of one that is supervised, its supervisor. */
pid_t system_service_pid(const struct system *system, enum system_service service);

/** Sends a signal to a service. */
void system_service_signal(const struct system *system, enum system_service service, int signal);

/** Starts the front anew, with what its files (folder/front/…) are now. */
enum err must_check system_front_again(struct system *system);

/** SIGKILL to the front and all of its processes; or to one of those that it keeps, where it has any. */
void system_front_killed(struct system *system);
bool system_front_worker_killed(const struct system *system);

/** Starts whatever has ended, however it did, and waits until everything is ready. */
enum err must_check system_revive(struct system *system);

/** Waits until its /readyz is 200. */
bool system_ready(struct system *system, enum system_service service);

/** Bearer tokens. */
const char *system_admin(const struct system *system);
const char *system_customer(const struct system *system);
const char *system_customer_id(const struct system *system);
const char *system_service_token(const struct system *system);   /* order's own */

/** A client without a token. The caller's to free. */
struct http_client *system_client(const struct system *system);

/** Registers and signs in a new customer; returns the token, the caller's to free(). ret_id (may be NULL) also. */
char *system_new_customer(struct system *system, char **ret_id);

/** Whether timeouts have to be wide: valgrind, sanitizers. */
bool system_is_slow(void);

#endif
