/*
 * The user service's database, as tandemctl changes it.
 *
 * This is the operator's command, so it may use what apps/user has for the same purpose; applications never include
 * each other. The service may be running meanwhile: the change waits for its transaction (db.busy_timeout_ms).
 */
#ifndef TANDEM_APPS_CTL_USER_DATABASE_H
#define TANDEM_APPS_CTL_USER_DATABASE_H

#include "base/err.h"
#include "conf/settings.h"
#include "state/db.h"

/** Opens the database at db.path of these settings (the user service's), brings it up to date, makes one change,
 *  durably, and closes it. Blocks. ERR_CONFIG without db.path; what the work returns; ERR_STORAGE and its kin. */
enum err must_check user_database_change(const struct settings *settings, db_work *work, void *context);

#endif
