/*
 * The rules of accounts: what an e-mail address, a name and a password may be, and who may do what. No HTTP, no SQL.
 *
 * An e-mail address is kept twice. As its owner writes it, but for blanks around it and for the case of the domain,
 * which has no meaning (RFC 5321, 2.4); and wholly in lower case, as the key that is unique and that one signs in
 * with: a local part may legally differ by case alone, but nobody means two people by that.
 *
 * Pure functions: any thread.
 */
#ifndef TANDEM_APPS_USER_ACCOUNT_H
#define TANDEM_APPS_USER_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "app/call.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"

enum {
    EMAIL_MAX_BYTES = 254,         /* RFC 3696, erratum 1690 */
    EMAIL_LOCAL_MAX_BYTES = 64,    /* RFC 5321, 4.5.3.1.1 */
    ACCOUNT_NAME_MAX = 200,        /* code points, after trimming */
    PASSWORD_MAX_BYTES = 1024,
};

struct account {
    struct text id;                /* UUIDv7 */
    struct text email, email_key;
    struct text name;
    unsigned role;                 /* one of enum role */
    bool active;                   /* false: "deactivated" */
    struct text password_hash;
    int64_t version;               /* from 1; rises with each change of the representation */
    int64_t created_us, updated_us;
};

/* A change of an account: what is absent stays. */
struct account_patch {
    struct text email, name, role, status;
};

/**
 * local@domain, with blanks around it forgiven: the local part a dot-atom (RFC 5322, 3.2.3), the domain of labels of
 * letters, digits and hyphens. Quoted local parts, literal addresses and non-ASCII are refused; an internationalised
 * domain is given in its xn-- form.
 */
bool account_email_valid(struct text email);

/** The two forms of a valid address, in arena. ERR_MEMORY. */
enum err must_check account_email_normalise(struct text email, struct arena *arena, struct text *ret_email,
                                            struct text *ret_key);

/** 1 to ACCOUNT_NAME_MAX code points beside blanks around them, and no control characters. */
bool account_name_valid(struct text name);

/** The key of whatever was typed to sign in with: as above, but of anything. ERR_MEMORY. */
enum err must_check account_email_key(struct text email, struct arena *arena, struct text *ret_key);

/** What a new password breaks, "must have at least …", in arena; NULL when it is fine. min counts code points. */
const char *account_password_fault(struct secret password, unsigned min, struct arena *arena);

bool account_status_valid(struct text status);
bool account_role_valid(struct text role);
const char *account_status_name(const struct account *account);

/** ERR_NONE for the account's own user, admins and services; ERR_NOT_FOUND for everybody else. */
enum err must_check account_may_see(const struct identity *caller, struct text id);

/** ERR_NONE for the account's own user and admins; ERR_FORBIDDEN for who may only see it, else ERR_NOT_FOUND. */
enum err must_check account_may_change(const struct identity *caller, struct text id);

/** As account_may_change(), and ERR_FORBIDDEN when the patch has what only an admin may change. */
enum err must_check account_may_patch(const struct identity *caller, struct text id, const struct account_patch *patch);

/** The account as it is after a valid patch, at this time; texts are in arena or the arguments'. ERR_MEMORY. */
enum err must_check account_patched(const struct account *before, const struct account_patch *patch, int64_t now_us,
                                    struct arena *arena, struct account *ret);

/** Whether this change takes away an active admin, of whom one must stay. */
bool account_loses_admin(const struct account *before, const struct account *after);

#endif
