/*
 * What the user service keeps beside its database: set once at its start, then only read. Any thread.
 */
#ifndef TANDEM_APPS_USER_USER_H
#define TANDEM_APPS_USER_USER_H

#include "apps/user/password.h"

struct user_app {
    struct password_cost password_cost;
    unsigned password_min;                    /* code points of a new password */
    unsigned session_lifetime_s;
    unsigned session_per_user_max;
    char dummy_hash[PASSWORD_HASH_SIZE];      /* what a password is verified against when there is no account */
};

#endif
