/*
 * The accounts a system begins with; a part of check/harness/system.h.
 */
#ifndef TANDEM_CHECK_HARNESS_SYSTEM_ACCOUNTS_H
#define TANDEM_CHECK_HARNESS_SYSTEM_ACCOUNTS_H

#include "base/err.h"

struct system_accounts {
    char *admin, *customer, *service;   /* bearer tokens */
    char *customer_id;
};

#define SYSTEM_ADMIN_EMAIL "admin@example.org"
#define SYSTEM_PASSWORD "correct horse battery"

/** The administrator and the service token (to folder/service.token) by tandemctl, the customer through the API. */
enum err must_check system_accounts_make(struct system_accounts *accounts, const char *build, const char *folder,
                                         const char *url);
void system_accounts_free(struct system_accounts *accounts);

/** Registers and signs in; the token, or NULL. */
char *system_accounts_customer(const char *url, const char *email, char **ret_id);

#endif
