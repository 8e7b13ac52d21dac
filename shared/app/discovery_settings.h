/*
 * Discovery as the settings want it: finding the user service, being found, and telling about both.
 */
#ifndef TANDEM_APP_DISCOVERY_SETTINGS_H
#define TANDEM_APP_DISCOVERY_SETTINGS_H

#include "app/call.h"
#include "conf/settings.h"
#include "discovery/discovery.h"

/** The options that these settings say. Its strings are theirs. */
struct discovery_opts discovery_settings_opts(const struct settings *settings);

/** The part: sets service->discovery. */
enum err must_check discovery_settings_start(struct service *service);
void discovery_settings_stop(struct service *service);

/** Whether the user service is found by discovery. If not, it is at user.url: of static, when nothing is said of it. */
bool discovery_settings_finds_user(const struct settings *settings);

/** Has the user service's instances told to service->user_client from here on, if they are found. As long as nothing
 *  is known of them, user.url is asked. */
enum err must_check discovery_settings_follow_user(struct service *service);
void discovery_settings_leave_user(struct service *service);

/** Other settings are in effect. */
void discovery_settings_apply(struct service *service, const struct settings *settings);

/** Whether discovery.advertise says places. ERR_CONFIG with a cause. */
enum err must_check discovery_settings_check_advertise(const struct settings *settings);

/** It is ready: registers it, where discovery.advertise says that it is found. What goes wrong is logged. */
void discovery_settings_register(struct service *service);

/** It ends: nobody is to be sent here any more. Waits for that, for discovery.withdraw_ms at most. */
void discovery_settings_withdraw(struct service *service);

/** GET /endpoints: what this service sees of others, and why it does not call one. */
enum err must_check discovery_page(struct call *call);

#endif
