/*
 * RabbitMQ as a test has it of its own: one node, or a cluster of three, of Debian's package rabbitmq-server, in a
 * temporary folder, on free ports of 127.0.0.1, with a port mapper (epmd) and a cookie of its own. Nothing of the
 * system's is used or touched. It runs as the package's user where the test runs as root.
 *
 * One thread. The process's only one: broker_rabbitmq and broker_rabbitmq_cluster (check/harness/broker.h) are this.
 */
#ifndef TANDEM_CHECK_HARNESS_RABBITMQ_H
#define TANDEM_CHECK_HARNESS_RABBITMQ_H

#include <stdbool.h>

#include "base/err.h"

enum { RABBITMQ_NODES_MAX = 3 };

/** Why it cannot be started here, a constant; NULL: it can. */
const char *rabbitmq_lacks(void);

/** Starts it, with as many nodes, until all of them take connections. TLS, where it is asked for, on a port of its own,
 *  with the files that rabbitmq_path() names: ca.pem, server.pem, server.key. */
enum err must_check rabbitmq_start(unsigned nodes, bool with_tls);

/** Ends it and removes all that it had. Nothing for one that was not started. */
void rabbitmq_stop(void);

/** The path of a file of its folder; valid until the next call. Before the start too, which then takes that folder. */
const char *rabbitmq_path(const char *name);

unsigned rabbitmq_port(unsigned node);
unsigned rabbitmq_tls_port(void);

/** Ends a node as its operator would; ERR_DEADLINE and killed when it does not end. */
enum err must_check rabbitmq_end_node(unsigned node);

void rabbitmq_kill_node(unsigned node);

/** Starts the nodes that do not run, with what they had, until they take connections. */
enum err must_check rabbitmq_start_again(void);

/** Runs rabbitmqctl on a running node, argv without its name, ends with NULL, at most 7 of them. */
enum err must_check rabbitmq_control(const char *const *argv);

#endif
