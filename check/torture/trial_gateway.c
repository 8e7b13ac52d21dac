#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/torture/trial_gateway.h"

static const char *const methods[] = {"pm_card_visa", "pm_card_visa", "pm_card_mastercard",
                                      "pm_card_visa_chargeDeclinedInsufficientFunds",
                                      "pm_card_authenticationRequired", NULL};

static bool write_key(const char *path)
{
    FILE *file = fopen(path, "we");
    bool written = file && fputs(FAKE_GATEWAY_KEY "\n", file) >= 0 && chmod(path, 0600) == 0;
    return file && fclose(file) == 0 && written;
}

bool trial_gateway_start(struct trial_gateway *gateway)
{
    char key[256];
    *gateway = (struct trial_gateway){.folder = process_folder(), .methods = methods};
    if (!gateway->folder)
        return false;
    snprintf(key, sizeof key, "%s/key", gateway->folder);
    snprintf(gateway->ledger, sizeof gateway->ledger, "%s/ledger.db", gateway->folder);
    if (!write_key(key)) {
        trial_gateway_stop(gateway);
        return false;
    }
    gateway->fake = fake_gateway_start(gateway->ledger);
    fake_gateway_retry_after(gateway->fake, 0);
    snprintf(gateway->url, sizeof gateway->url, "payment.stripe_url=%s", fake_gateway_url(gateway->fake));
    snprintf(gateway->key_file, sizeof gateway->key_file, "payment.stripe_key_file=%s", key);
    const char *const settings[TRIAL_GATEWAY_SETTINGS] = {
        "payment.driver=stripe", gateway->url, gateway->key_file, "payment.timeout_ms=300",
        "payment.retry_first_ms=30", "payment.retry_max_ms=500", "events.retry_first_ms=20", NULL,
    };
    for (int i = 0; i < TRIAL_GATEWAY_SETTINGS; i++)
        gateway->settings[i] = settings[i];
    return true;
}

void trial_gateway_stop(struct trial_gateway *gateway)
{
    fake_gateway_stop(gateway->fake);
    process_remove(gateway->folder);
    free(gateway->folder);
    *gateway = (struct trial_gateway){.fake = NULL};
}

bool trial_gateway_show(const struct trial_gateway *gateway, const char *system_folder)
{
    char path[256];
    snprintf(path, sizeof path, "%s/payments.db", system_folder);
    return symlink(gateway->ledger, path) == 0;
}
