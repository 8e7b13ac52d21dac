/*
 * What has to hold of the settings for a service to start, beyond what the table of options says: each rule asks the
 * very function that the start reads the setting with. So --check-config, tandemctl conf check and a reload refuse what
 * the start would refuse, and tell where it stands. What a rule needs no broker, server or network for is all it looks
 * at; files that are named have to be there.
 */
#ifndef TANDEM_APP_SERVICE_RULES_H
#define TANDEM_APP_SERVICE_RULES_H

#include "conf/settings.h"

/* Those of every service; an application's own are in its definition (app/service.h). */
extern const struct settings_rules service_rules;

#endif
