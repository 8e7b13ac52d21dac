#include "config.h"

#include "apps/user/account.h"
#include "apps/user/routes.h"

enum { SIGN_IN_TEXT_MAX = 1024, TOKEN_TEXT_MAX = 1024 };

/* Room for blanks around an address or a name, which are trimmed. */
enum { EMAIL_TEXT_MAX = EMAIL_MAX_BYTES + 16, NAME_TEXT_MAX = ACCOUNT_NAME_MAX + 16 };

#define EMAIL_RULE "must be an e-mail address of at most 254 characters, local@domain in ASCII"
#define NAME_RULE "must have 1 to 200 characters, none of them a control character"

#define FIELD(kind, member, type_, ...) {.name = #member, .type = type_, .offset = offsetof(kind, member), __VA_ARGS__}

static const struct json_field registration_fields[] = {
    FIELD(struct registration_input, email, JSON_TEXT, .required = true, .min = 1, .max = EMAIL_TEXT_MAX,
          .accepts = account_email_valid, .rule = EMAIL_RULE),
    FIELD(struct registration_input, name, JSON_TEXT, .required = true, .min = 1, .max = NAME_TEXT_MAX,
          .accepts = account_name_valid, .rule = NAME_RULE),
    FIELD(struct registration_input, password, JSON_SECRET, .required = true, .min = 1, .max = PASSWORD_MAX_BYTES),
    {.name = NULL},
};

static const struct json_field patch_fields[] = {
    FIELD(struct patch_input, email, JSON_TEXT, .min = 1, .max = EMAIL_TEXT_MAX, .accepts = account_email_valid,
          .rule = EMAIL_RULE),
    FIELD(struct patch_input, name, JSON_TEXT, .min = 1, .max = NAME_TEXT_MAX, .accepts = account_name_valid,
          .rule = NAME_RULE),
    FIELD(struct patch_input, role, JSON_TEXT, .min = 1, .max = 16, .accepts = account_role_valid,
          .rule = "must be \"customer\", \"admin\" or \"service\""),
    FIELD(struct patch_input, status, JSON_TEXT, .min = 1, .max = 16, .accepts = account_status_valid,
          .rule = "must be \"active\" or \"deactivated\""),
    {.name = NULL},
};

static const struct json_field password_fields[] = {
    FIELD(struct password_input, current_password, JSON_SECRET, .min = 1, .max = PASSWORD_MAX_BYTES),
    FIELD(struct password_input, new_password, JSON_SECRET, .required = true, .min = 1, .max = PASSWORD_MAX_BYTES),
    {.name = NULL},
};

/* No rules beyond a ceiling: whatever is not an account's address and password is the same 401. */
static const struct json_field sign_in_fields[] = {
    FIELD(struct sign_in_input, email, JSON_TEXT, .required = true, .max = SIGN_IN_TEXT_MAX),
    FIELD(struct sign_in_input, password, JSON_SECRET, .required = true, .max = SIGN_IN_TEXT_MAX),
    {.name = NULL},
};

static const struct json_field introspection_fields[] = {
    FIELD(struct introspection_input, token, JSON_SECRET, .required = true, .min = 1, .max = TOKEN_TEXT_MAX),
    {.name = NULL},
};

static const struct input registration_body = {registration_fields, sizeof(struct registration_input)};
static const struct input patch_body = {patch_fields, sizeof(struct patch_input)};
static const struct input password_body = {password_fields, sizeof(struct password_input)};
static const struct input sign_in_body = {sign_in_fields, sizeof(struct sign_in_input)};
static const struct input introspection_body = {introspection_fields, sizeof(struct introspection_input)};

const struct endpoint user_endpoints[] = {
    {.route = {HTTP_POST, "/v1/users"}, .idempotent = true, .input = &registration_body,
     .likeness = registration_likeness,
     .check = registration_check, .task = registration_task, .command = registration_command, .pool = POOL_HASHING},
    {.route = {HTTP_GET, "/v1/users"}, .access = ROLE_ADMIN, .query = accounts_query},
    {.route = {HTTP_GET, "/v1/users/me"}, .access = ROLE_ANY, .query = me_query},
    {.route = {HTTP_GET, "/v1/users/{id}"}, .access = ROLE_ANY, .query = account_query},
    {.route = {HTTP_PATCH, "/v1/users/{id}"}, .access = ROLE_ANY, .input = &patch_body,
     .check = patch_check, .command = patch_command},
    {.route = {HTTP_DELETE, "/v1/users/{id}"}, .access = ROLE_ANY,
     .check = deactivation_check, .command = deactivation_command},
    {.route = {HTTP_PUT, "/v1/users/{id}/password"}, .access = ROLE_ANY, .input = &password_body,
     .check = password_check, .task = password_task, .command = password_command, .pool = POOL_HASHING},

    {.route = {HTTP_POST, "/v1/sessions"}, .input = &sign_in_body,
     .check = sign_in_check, .task = sign_in_task, .command = sign_in_command, .pool = POOL_HASHING},
    {.route = {HTTP_GET, "/v1/sessions/current"}, .access = ROLE_ANY, .query = session_query},
    {.route = {HTTP_DELETE, "/v1/sessions/current"}, .access = ROLE_ANY, .command = session_end_command},
    {.route = {HTTP_POST, "/v1/sessions/introspect"}, .access = ROLE_SERVICE, .input = &introspection_body,
     .query = introspection_query},
};

const size_t user_endpoint_count = sizeof user_endpoints / sizeof user_endpoints[0];
