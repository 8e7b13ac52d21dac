/*
 * A trial's payment gateway: the fake one, beside the system and never killed, whose ledger the auditor reads.
 */
#ifndef TANDEM_CHECK_TORTURE_TRIAL_GATEWAY_H
#define TANDEM_CHECK_TORTURE_TRIAL_GATEWAY_H

#include <stdbool.h>

#include "check/harness/fake_gateway.h"

enum { TRIAL_GATEWAY_SETTINGS = 8 };

struct trial_gateway {
    struct fake_gateway *fake;
    char *folder;
    char ledger[256], url[128], key_file[300];
    const char *settings[TRIAL_GATEWAY_SETTINGS];     /* of the services, ends with NULL */
    const char *const *methods;                       /* what customers pay with, ends with NULL */
};

/** False when it cannot; then nothing is left. */
bool trial_gateway_start(struct trial_gateway *gateway);
void trial_gateway_stop(struct trial_gateway *gateway);

/** Puts its ledger where the auditor looks, in a system's folder. */
bool trial_gateway_show(const struct trial_gateway *gateway, const char *system_folder);

#endif
