/*
 * The commands of tandemctl. Each is a row of the table in main.c; the function returns the exit status.
 */
#ifndef TANDEM_APPS_CTL_COMMANDS_H
#define TANDEM_APPS_CTL_COMMANDS_H

#include "apps/ctl/invocation.h"
#include "conf/settings.h"

int command_user_create(const struct invocation *invocation);
int command_token_create(const struct invocation *invocation);
int command_get(const struct invocation *invocation);
int command_status(const struct invocation *invocation);
int command_trace_list(const struct invocation *invocation);
int command_trace_show(const struct invocation *invocation);
int command_endpoints(const struct invocation *invocation);
int command_front_render(const struct invocation *invocation);
int command_supervise(const struct invocation *invocation);
int command_events_list(const struct invocation *invocation);
int command_events_show(const struct invocation *invocation);
int command_events_lag(const struct invocation *invocation);
int command_events_dead_list(const struct invocation *invocation);
int command_events_dead_show(const struct invocation *invocation);
int command_events_dead_redrive(const struct invocation *invocation);
int command_events_dead_discard(const struct invocation *invocation);
int command_db_backup(const struct invocation *invocation);
int command_db_restore(const struct invocation *invocation);
int command_db_check(const struct invocation *invocation);
int command_db_vacuum(const struct invocation *invocation);
int command_db_copy(const struct invocation *invocation);
int command_db_digest(const struct invocation *invocation);
int command_conf_check(const struct invocation *invocation);
int command_conf_print(const struct invocation *invocation);
int command_conf_digest(const struct invocation *invocation);
int command_conf_keygen(const struct invocation *invocation);
int command_conf_sign(const struct invocation *invocation);
int command_conf_verify(const struct invocation *invocation);

/** The settings as this service would have them, from --config and --set. Faults are told on standard error; NULL then.
 *  The caller does settings_unref(). */
struct settings *load_settings(const struct invocation *invocation, const char *service);

#endif
