/*
 * The settings of a service's database, as the options of state/db.h.
 *
 * One file of settings may be for all services: "{service}" in db.url and db.read_url stands for the name of each.
 */
#ifndef TANDEM_APP_DATABASE_SETTINGS_H
#define TANDEM_APP_DATABASE_SETTINGS_H

#include "conf/settings.h"
#include "state/db.h"

enum { DATABASE_URL_SIZE = 4400 };

struct database_settings {
    struct db_opts opts;               /* whose texts are the settings', and those below */
    char url[DATABASE_URL_SIZE], read_url[DATABASE_URL_SIZE];
};

/** ret stays where it is for as long as its opts are used. */
void database_settings(const struct settings *settings, const char *service, struct database_settings *ret);

/** The same for an operator's command: a small queue and one job at a time. */
void database_settings_for_command(const struct settings *settings, const char *service,
                                   struct database_settings *ret);

/** Whether it is a server that the settings name, and no file. */
bool database_is_server(const struct settings *settings);

#endif
