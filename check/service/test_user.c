/* The user service's whole API, through a real front. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

#define PASSWORD "a good password"

/* ---- making accounts ---- */

static struct http_answer *registration(struct http_client *client, const char *email, const char *password)
{
    http_with(client, "Idempotency-Key: registration-%u", step_number());
    return http_send(client, "POST", "/v1/users", "{\"email\":\"%s\",\"name\":\"Some One\",\"password\":\"%s\"}", email,
                     password);
}

static struct http_answer *sign_in(struct http_client *client, const char *email, const char *password)
{
    return http_send(client, "POST", "/v1/sessions", "{\"email\":\"%s\",\"password\":\"%s\"}", email, password);
}

struct person {
    char email[64], id[STEP_ID_SIZE], path[96], token[128];
    struct http_client *client;
};

static void make_person(struct person *person)
{
    person->client = variant_anonymous();
    snprintf(person->email, sizeof person->email, "person-%u@example.org", step_number());
    struct http_answer *answer = registration(person->client, person->email, PASSWORD);
    EXPECT_STATUS(answer, 201);
    snprintf(person->id, sizeof person->id, "%s", http_json_text(answer, "/id"));
    snprintf(person->path, sizeof person->path, "/v1/users/%s", person->id);
    answer = sign_in(person->client, person->email, PASSWORD);
    EXPECT_STATUS(answer, 201);
    snprintf(person->token, sizeof person->token, "%s", http_json_text(answer, "/token"));
    http_client_token(person->client, person->token);
}

/* ---- registering ---- */

static void test_register(void)
{
    struct http_client *client = variant_anonymous();
    struct http_answer *answer = registration(client, "New.Person@Example.ORG", PASSWORD);
    char location[128];
    EXPECT_STATUS(answer, 201);
    snprintf(location, sizeof location, "/v1/users/%s", http_json_text(answer, "/id"));
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Location"), location);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "ETag"), "\"1\"");
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Content-Type"), "application/json");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/role"), "customer");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/status"), "active");
    CU_ASSERT_EQUAL(http_json_integer(answer, "/version"), 1);
    CU_ASSERT_PTR_NOT_NULL(strchr(http_json_text(answer, "/created_at"), 'T'));
    CU_ASSERT_FALSE(http_json_has(answer, "/password"));
    EXPECT_PROBLEM(registration(client, "new.person@example.org", PASSWORD), 409, "email-taken");
}

static void test_register_faults(void)
{
    struct http_client *client = variant_anonymous();
    http_with(client, "Idempotency-Key: faults");
    struct http_answer *answer =
        http_send(client, "POST", "/v1/users", "{\"email\":\"nobody\",\"name\":\"\",\"password\":\"x\",\"more\":1}");
    EXPECT_PROBLEM(answer, 422, "invalid");
    CU_ASSERT(http_json_length(answer, "/errors") >= 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, "\"/email\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer->body, "\"/more\""));
    http_with(client, "Idempotency-Key: faults");
    answer = http_send(client, "POST", "/v1/users", "{}");
    EXPECT_PROBLEM(answer, 422, "invalid");
    CU_ASSERT_EQUAL(http_json_length(answer, "/errors"), 3);
    http_with(client, "Idempotency-Key: faults");
    answer = http_send(client, "POST", "/v1/users",
                       "{\"email\":\"short@example.org\",\"name\":\"A\",\"password\":\"short\"}");
    EXPECT_PROBLEM(answer, 422, "invalid");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/errors/0/pointer"), "/password");
}

/* What is repeated is answered as before, and nothing could be guessed of the password by what is kept. */
static void test_register_repeat(void)
{
    static const char form[] = "{\"email\":\"%s\",\"name\":\"%s\",\"password\":\"%s\"}";
    struct http_client *client = variant_anonymous();
    char email[64], id[STEP_ID_SIZE];
    unsigned number = step_number();
    snprintf(email, sizeof email, "repeated-%u@example.org", number);
    EXPECT_PROBLEM(http_send(client, "POST", "/v1/users", form, email, "A", PASSWORD), 400, "idempotency-key-missing");
    http_with(client, "Idempotency-Key: repeated-%u", number);
    struct http_answer *answer = http_send(client, "POST", "/v1/users", form, email, "A", PASSWORD);
    EXPECT_STATUS(answer, 201);
    snprintf(id, sizeof id, "%s", http_json_text(answer, "/id"));
    for (int i = 0; i < 3; i++) {
        http_with(client, "Idempotency-Key: repeated-%u", number);
        answer = http_send(client, "POST", "/v1/users", form, email, "A", i < 2 ? PASSWORD : "another good one");
        EXPECT_STATUS(answer, 201);
        CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/id"), id);
        CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "Idempotency-Replayed"), "true");
        CU_ASSERT_PTR_NOT_NULL(strstr(http_answer_header(answer, "Location"), id));
    }
    EXPECT_STATUS(sign_in(client, email, PASSWORD), 201);
    EXPECT_STATUS(sign_in(client, email, "another good one"), 401);
    http_with(client, "Idempotency-Key: repeated-%u", number);
    EXPECT_PROBLEM(http_send(client, "POST", "/v1/users", form, email, "B", PASSWORD), 422, "idempotency-key-reused");
    http_with(client, "Idempotency-Key: repeated-%u-anew", number);
    EXPECT_PROBLEM(http_send(client, "POST", "/v1/users", form, email, "A", PASSWORD), 409, "email-taken");
}

/* ---- sessions ---- */

static void test_sign_in(void)
{
    struct person person;
    make_person(&person);
    struct http_answer *session = http_get(person.client, "/v1/sessions/current");
    EXPECT_STATUS(session, 200);
    CU_ASSERT_STRING_EQUAL(http_json_text(session, "/user_id"), person.id);
    CU_ASSERT_FALSE(http_json_has(session, "/token"));
    EXPECT_STATUS(http_get(person.client, "/v1/users/me"), 200);
    EXPECT_STATUS(http_send_nothing(person.client, "DELETE", "/v1/sessions/current"), 204);
    struct http_answer *after = http_get(person.client, "/v1/users/me");
    EXPECT_PROBLEM(after, 401, "unauthenticated");
    CU_ASSERT_STRING_EQUAL(http_answer_header(after, "WWW-Authenticate"), "Bearer");
}

static void test_sign_in_refused(void)
{
    struct person person;
    make_person(&person);
    struct http_client *client = variant_anonymous();
    struct http_answer *wrong = sign_in(client, person.email, "not the password");
    struct http_answer *unknown = sign_in(client, "nobody@example.org", "not the password");
    EXPECT_PROBLEM(wrong, 401, "sign-in-failed");
    EXPECT_PROBLEM(unknown, 401, "sign-in-failed");
    CU_ASSERT_STRING_EQUAL(http_json_text(wrong, "/detail"), http_json_text(unknown, "/detail"));
    CU_ASSERT_STRING_EQUAL(http_json_text(wrong, "/title"), http_json_text(unknown, "/title"));
}

static void test_no_token(void)
{
    static const char *const forms[] = {"Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "Bearer nonsense"};
    struct http_client *client = variant_anonymous();
    EXPECT_PROBLEM(http_get(client, "/v1/users/me"), 401, "unauthenticated");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        http_with(client, "Authorization: %s", forms[i]);
        EXPECT_PROBLEM(http_get(client, "/v1/users/me"), 401, "unauthenticated");
    }
}

/* Ten a minute; of an account that is there, and of one that is not. */
static void test_attempts(void)
{
    struct person person;
    make_person(&person);
    struct http_client *client = variant_anonymous();
    const char *const emails[] = {person.email, "nobody-at-all@example.org"};
    for (int i = 0; i < 2; i++) {
        for (int attempt = 0; attempt < 10; attempt++)
            EXPECT_PROBLEM(sign_in(client, emails[i], "not the password"), 401, "sign-in-failed");
        struct http_answer *refused = sign_in(client, emails[i], i ? "not the password" : PASSWORD);
        EXPECT_PROBLEM(refused, 429, "too-many-attempts");
        CU_ASSERT_STRING_EQUAL(http_json_text(refused, "/detail"),
                               "There were too many attempts; try again later.");
        int64_t wait_s;
        CU_ASSERT_EQUAL_FATAL(text_to_int(text_of(http_answer_header(refused, "Retry-After")), &wait_s), ERR_NONE);
        CU_ASSERT(wait_s >= 1 && wait_s <= 6);
    }
    char path[128];
    static const char body[] = "{\"current_password\":\"not it\",\"new_password\":\"" PASSWORD "2\"}";
    snprintf(path, sizeof path, "%s/password", person.path);
    for (int attempt = 0; attempt < 10; attempt++)
        EXPECT_PROBLEM(http_send(person.client, "PUT", path, "%s", body), 403, "wrong-password");
    EXPECT_PROBLEM(http_send(person.client, "PUT", path, "%s", body), 429, "too-many-attempts");
    make_person(&person);   /* another account is none the worse; and who knows the password has a clean slate */
    for (int attempt = 0; attempt < 30; attempt++)
        EXPECT_STATUS(sign_in(client, person.email, attempt % 10 ? "not the password" : PASSWORD),
                      attempt % 10 ? 401 : 201);
}

static void test_introspection(void)
{
    struct person person;
    make_person(&person);
    const char *path = "/v1/sessions/introspect";
    struct http_client *service = variant_service();
    struct http_answer *answer = http_send(service, "POST", path, "{\"token\":\"%s\"}", person.token);
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/user_id"), person.id);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/role"), "customer");
    answer = http_send(service, "POST", path, "{\"token\":\"nonsense\"}");
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(answer->body, "{\"active\":false}");
    EXPECT_PROBLEM(http_send(person.client, "POST", path, "{\"token\":\"%s\"}", person.token), 403, "forbidden");
}

/* ---- reading ---- */

static void test_who_may_read(void)
{
    struct person one, other;
    make_person(&one);
    make_person(&other);
    EXPECT_STATUS(http_get(one.client, one.path), 200);
    EXPECT_PROBLEM(http_get(other.client, one.path), 404, "not-found");
    EXPECT_STATUS(http_get(variant_admin(), one.path), 200);
    EXPECT_STATUS(http_get(variant_service(), one.path), 200);
    EXPECT_PROBLEM(http_get(variant_admin(), "/v1/users/no-such-user"), 404, "not-found");
    EXPECT_PROBLEM(http_get(one.client, "/v1/users"), 403, "forbidden");
}

static void test_not_modified(void)
{
    struct person person;
    make_person(&person);
    http_with(person.client, "If-None-Match: \"1\"");
    struct http_answer *answer = http_get(person.client, person.path);
    EXPECT_STATUS(answer, 304);
    CU_ASSERT_EQUAL(answer->body_bytes, 0);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "ETag"), "\"1\"");
}

static void test_pages(void)
{
    struct http_client *admin = variant_admin();
    char path[512] = "/v1/users?limit=2", ids[64][STEP_ID_SIZE];
    struct person person;
    int count = 0, pages = 0;
    for (int i = 0; i < 3; i++)
        make_person(&person);
    while (*path && pages++ < 30) {
        struct http_answer *answer = http_get(admin, path);
        EXPECT_STATUS(answer, 200);
        int rows = http_json_length(answer, "/items");
        CU_ASSERT(rows >= 1 && rows <= 2);
        for (int i = 0; i < rows && count < 64; i++) {
            char pointer[32];
            snprintf(pointer, sizeof pointer, "/items/%d/id", i);
            snprintf(ids[count++], STEP_ID_SIZE, "%s", http_json_text(answer, pointer));
        }
        const char *cursor = http_json_text(answer, "/next_cursor");
        snprintf(path, sizeof path, *cursor ? "/v1/users?limit=2&cursor=%s" : "%s", cursor);
    }
    CU_ASSERT(count >= 5);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(ids[i], ids[j]);
    CU_ASSERT_STRING_EQUAL(path, "");
}

static void test_page_faults(void)
{
    static const char *const paths[] = {"/v1/users?limit=0", "/v1/users?limit=101", "/v1/users?limit=x",
                                        "/v1/users?limit=-1", "/v1/users?cursor=!!!"};
    struct http_client *admin = variant_admin();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        EXPECT_PROBLEM(http_get(admin, paths[i]), 422, "invalid");
    EXPECT_PROBLEM(http_get(admin, "/v1/users?limit=2&limit=3"), 400, "malformed");
    EXPECT_PROBLEM(http_get(admin, "/v1/users?limit=%zz"), 400, "malformed");
}

/* ---- changing ---- */

static void test_patch(void)
{
    struct person person;
    make_person(&person);
    struct http_answer *answer = http_send(person.client, "PATCH", person.path, "{\"name\":\"Other\"}");
    EXPECT_PROBLEM(answer, 428, "precondition-required");
    http_with(person.client, "If-Match: \"9\"");
    EXPECT_PROBLEM(http_send(person.client, "PATCH", person.path, "{\"name\":\"Other\"}"), 412, "precondition-failed");
    http_with(person.client, "If-Match: \"1\"");
    answer = http_send(person.client, "PATCH", person.path, "{\"name\":\"Other\"}");
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_answer_header(answer, "ETag"), "\"2\"");
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/name"), "Other");
    http_with(person.client, "If-Match: \"1\"");
    EXPECT_PROBLEM(http_send(person.client, "PATCH", person.path, "{\"name\":\"Late\"}"), 412, "precondition-failed");
    http_with(person.client, "If-Match: *");
    EXPECT_STATUS(http_send(person.client, "PATCH", person.path, "{\"name\":\"Any\"}"), 200);
}

static void test_patch_refused(void)
{
    struct person person, other;
    make_person(&person);
    make_person(&other);
    http_with(person.client, "If-Match: *");
    EXPECT_PROBLEM(http_send(person.client, "PATCH", person.path, "{\"role\":\"admin\"}"), 403, "forbidden");
    http_with(person.client, "If-Match: *");
    EXPECT_PROBLEM(http_send(person.client, "PATCH", person.path, "{}"), 422, "invalid");
    http_with(person.client, "If-Match: *");
    struct http_answer *answer = http_send(person.client, "PATCH", person.path, "{\"email\":\"%s\"}", other.email);
    EXPECT_PROBLEM(answer, 409, "email-taken");
    http_with(other.client, "If-Match: *");
    EXPECT_PROBLEM(http_send(other.client, "PATCH", person.path, "{\"name\":\"Mine\"}"), 404, "not-found");
    struct http_client *admin = variant_admin();
    http_with(admin, "If-Match: *");
    answer = http_send(admin, "PATCH", person.path, "{\"role\":\"service\"}");
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/role"), "service");
}

static void test_password(void)
{
    struct person person;
    char path[128];
    make_person(&person);
    snprintf(path, sizeof path, "%s/password", person.path);
    struct http_client *second = variant_anonymous();
    struct http_answer *answer = sign_in(second, person.email, PASSWORD);
    http_client_token(second, http_json_text(answer, "/token"));

    answer = http_send(person.client, "PUT", path,
                       "{\"current_password\":\"wrong one\",\"new_password\":\"" PASSWORD "2\"}");
    EXPECT_PROBLEM(answer, 403, "wrong-password");
    EXPECT_PROBLEM(http_send(person.client, "PUT", path, "{\"new_password\":\"" PASSWORD "2\"}"), 422, "invalid");
    answer = http_send(person.client, "PUT", path,
                       "{\"current_password\":\"" PASSWORD "\",\"new_password\":\"" PASSWORD "2\"}");
    EXPECT_STATUS(answer, 204);
    EXPECT_STATUS(http_get(person.client, "/v1/users/me"), 200);   /* the session that asked stays */
    EXPECT_PROBLEM(http_get(second, "/v1/users/me"), 401, "unauthenticated");
    EXPECT_PROBLEM(sign_in(variant_anonymous(), person.email, PASSWORD), 401, "sign-in-failed");
    EXPECT_STATUS(sign_in(variant_anonymous(), person.email, PASSWORD "2"), 201);
}

static void test_deactivate(void)
{
    struct person person, other;
    make_person(&person);
    make_person(&other);
    EXPECT_PROBLEM(http_send_nothing(other.client, "DELETE", person.path), 404, "not-found");
    EXPECT_STATUS(http_send_nothing(person.client, "DELETE", person.path), 204);
    EXPECT_PROBLEM(http_get(person.client, "/v1/users/me"), 401, "unauthenticated");
    EXPECT_PROBLEM(sign_in(variant_anonymous(), person.email, PASSWORD), 401, "sign-in-failed");
    struct http_answer *answer = http_get(variant_admin(), person.path);
    EXPECT_STATUS(answer, 200);
    CU_ASSERT_STRING_EQUAL(http_json_text(answer, "/status"), "deactivated");
}

static void test_last_admin(void)
{
    struct http_client *admin = variant_admin();
    char path[128];
    snprintf(path, sizeof path, "/v1/users/%s", http_json_text(http_get(admin, "/v1/users/me"), "/id"));
    EXPECT_PROBLEM(http_send_nothing(admin, "DELETE", path), 409, "last-admin");
}

static const struct suite_case cases[] = {
    {"registering makes a customer, once for an address", test_register},
    {"all faults of a registration are told together", test_register_faults},
    {"a registration that is repeated makes one account", test_register_repeat},
    {"signing in gives a token that signing out ends", test_sign_in},
    {"an unknown address and a wrong password are told alike", test_sign_in_refused},
    {"without a bearer token of a session it is 401", test_no_token},
    {"attempts at an account have a limit, alike for one that is not there", test_attempts},
    {"introspection is for services and tells whose a token is", test_introspection},
    {"an account is seen by itself, admins and services only", test_who_may_read},
    {"an entity tag that still holds is 304 without a body", test_not_modified},
    {"pages hold every account once", test_pages},
    {"bad limits and cursors are told", test_page_faults},
    {"a change needs the entity tag of what it changes", test_patch},
    {"nobody gives himself a role or takes an address in use", test_patch_refused},
    {"a new password ends the other sessions", test_password},
    {"a deactivated account cannot be signed in to", test_deactivate},
    {"the last admin stays", test_last_admin},
};

int main(void)
{
    return variants_main("user", cases, sizeof cases / sizeof cases[0], NULL);
}
