/*
 * A PostgreSQL server of a test's own: a fresh cluster in a temporary folder, on a unix socket in it, without network.
 * Texts sort by their bytes. As the user postgres when the test is root, as whom the server does not run.
 *
 * One thread: main().
 */
#ifndef TANDEM_CHECK_HARNESS_POSTGRES_H
#define TANDEM_CHECK_HARNESS_POSTGRES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum { POSTGRES_URL_SIZE = 512 };

struct postgres;

/** Why there can be none here; NULL when there can. */
const char *postgres_missing(void);

/** Makes the cluster and starts the server. durable: its commits wait for the disk. ERR_IO, ERR_INTERNAL, ERR_DEADLINE
 *  with a cause. */
enum err must_check postgres_start(bool durable, struct postgres **ret);

/** Makes a replica of it, which follows it, and starts that. It is stopped first. */
enum err must_check postgres_follow(struct postgres *primary, struct postgres **ret);

/** NULL is fine. */
void postgres_stop(struct postgres *postgres);

/** Ends all of its processes with SIGKILL; and starts it again, with what is on its disk, unless it runs. */
void postgres_killed(struct postgres *postgres);
enum err must_check postgres_up(struct postgres *postgres);

/** Makes an empty database. */
enum err must_check postgres_create(struct postgres *postgres, const char *database);
enum err must_check postgres_remove(struct postgres *postgres, const char *database);

/** The URL of a database; returns out. */
const char *postgres_url(const struct postgres *postgres, const char *database, char out[static POSTGRES_URL_SIZE]);

/** Runs SQL with psql, as its owner. */
enum err must_check postgres_sql(struct postgres *postgres, const char *database, const char *sql);

/** The folder of its socket, and of its programs. */
const char *postgres_folder(const struct postgres *postgres);
const char *postgres_program(const struct postgres *postgres, const char *name);

#endif
