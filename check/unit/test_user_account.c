/* Accounts: what an address, a name and a password may be, who may do what, and what hashing promises. */
#include "config.h"

#include <string.h>

#include "apps/user/account.h"
#include "apps/user/password.h"
#include "base/clock.h"
#include "check/harness/suite.h"

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LABEL_63 FIFTY "0123456789abc"

static const struct {
    const char *email;
    bool valid;
} emails[] = {
    {"ann@example.org", true},
    {"  ann@example.org\t", true},
    {"a@b", true},
    {"first.last+tag@sub.example.org", true},
    {"!#$%&'*+-/=?^_`{|}~@example.org", true},
    {FIFTY "01234567890123@example.org", true},
    {"a@" LABEL_63 "." LABEL_63 "." LABEL_63 ".example.org", true},
    {"a@xn--bcher-kva.example", true},
    {"", false},
    {" ", false},
    {"@", false},
    {"ann", false},
    {"ann@", false},
    {"@example.org", false},
    {"ann@example@org", false},
    {"ann@example..org", false},
    {"ann@.example.org", false},
    {"ann@example.org.", false},
    {"ann@-example.org", false},
    {"ann@example-.org", false},
    {"ann@exa_mple.org", false},
    {".ann@example.org", false},
    {"ann.@example.org", false},
    {"an..n@example.org", false},
    {"an n@example.org", false},
    {"\"ann\"@example.org", false},
    {"ann@[127.0.0.1]", false},
    {"\xc3\xa4nn@example.org", false},
    {"ann@b\xc3\xbc" "cher.example", false},
    {"ann\r\nBcc: all@example.org", false},
    {FIFTY "012345678901234@example.org", false},
    {"a@" LABEL_63 "x.org", false},
    {"abcdef@" LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, false},
};

static void test_email_form(void)
{
    for (size_t i = 0; i < sizeof emails / sizeof emails[0]; i++)
        CU_ASSERT_EQUAL(account_email_valid(text_of(emails[i].email)), emails[i].valid);
    CU_ASSERT_FALSE(account_email_valid((struct text){"a\0b@example.org", 15}));
}

static void test_email_length(void)
{
    char email[300];
    memset(email, '.', sizeof email);
    memcpy(email, "ab@", 3);
    for (size_t i = 3; i < sizeof email; i++)
        email[i] = i % 2 ? 'x' : '.';
    CU_ASSERT(account_email_valid((struct text){email, EMAIL_MAX_BYTES}));
    CU_ASSERT_FALSE(account_email_valid((struct text){email, EMAIL_MAX_BYTES + 2}));
}

static void test_email_normal_form(void)
{
    struct arena arena;
    struct text email, key;
    arena_init(&arena, 4096);
    CU_ASSERT_EQUAL_FATAL(account_email_normalise(TEXT(" Ann.B@Example.ORG "), &arena, &email, &key), ERR_NONE);
    CU_ASSERT(text_equal(email, TEXT("Ann.B@example.org")));
    CU_ASSERT(text_equal(key, TEXT("ann.b@example.org")));
    CU_ASSERT_EQUAL_FATAL(account_email_key(TEXT("  NOT an Address "), &arena, &key), ERR_NONE);
    CU_ASSERT(text_equal(key, TEXT("not an address")));
    arena_fini(&arena);
}

static void test_email_without_memory(void)
{
    struct arena arena;
    struct text email = TEXT("untouched"), key = TEXT("untouched");
    arena_init(&arena, 0);
    CU_ASSERT_EQUAL(account_email_normalise(TEXT("ann@example.org"), &arena, &email, &key), ERR_MEMORY);
    CU_ASSERT(text_equal(email, TEXT("untouched")));
    arena_fini(&arena);
}

static void test_names(void)
{
    char longest[ACCOUNT_NAME_MAX * 2 + 1];
    CU_ASSERT(account_name_valid(TEXT("A")));
    CU_ASSERT(account_name_valid(TEXT(" Zo\xc3\xab \xe6\x9d\x8e ")));
    CU_ASSERT_FALSE(account_name_valid(TEXT("")));
    CU_ASSERT_FALSE(account_name_valid(TEXT(" \t ")));
    CU_ASSERT_FALSE(account_name_valid(TEXT("two\nlines")));
    CU_ASSERT_FALSE(account_name_valid(TEXT("escape\x1b[2J")));
    CU_ASSERT_FALSE(account_name_valid(TEXT("delete\x7f")));
    CU_ASSERT_FALSE(account_name_valid(TEXT("next\xc2\x85line")));
    for (size_t i = 0; i < ACCOUNT_NAME_MAX; i++)
        memcpy(longest + 2 * i, "\xc3\xab", 2);
    CU_ASSERT(account_name_valid((struct text){longest, ACCOUNT_NAME_MAX * 2}));
    longest[ACCOUNT_NAME_MAX * 2] = 'x';
    CU_ASSERT_FALSE(account_name_valid((struct text){longest, ACCOUNT_NAME_MAX * 2 + 1}));
}

static void test_password_limits(void)
{
    struct arena arena;
    char most[PASSWORD_MAX_BYTES + 1];
    memset(most, 'p', sizeof most);
    arena_init(&arena, 4096);
    CU_ASSERT_PTR_NULL(account_password_fault(secret_of(TEXT("0123456789")), 10, &arena));
    CU_ASSERT_STRING_EQUAL(account_password_fault(secret_of(TEXT("012345678")), 10, &arena),
                           "must have at least 10 characters");
    /* ten bytes, but five characters */
    CU_ASSERT_PTR_NOT_NULL(account_password_fault(secret_of(TEXT("\xc3\xab\xc3\xab\xc3\xab\xc3\xab\xc3\xab")), 10,
                                                  &arena));
    CU_ASSERT_PTR_NULL(account_password_fault(secret_of((struct text){most, PASSWORD_MAX_BYTES}), 10, &arena));
    CU_ASSERT_PTR_NOT_NULL(account_password_fault(secret_of((struct text){most, PASSWORD_MAX_BYTES + 1}), 10, &arena));
    arena_fini(&arena);
    arena_init(&arena, 0);
    CU_ASSERT_STRING_EQUAL(account_password_fault(secret_of(TEXT("short")), 10, &arena), "is too short");
    arena_fini(&arena);
}

/* ---- who may do what ---- */

#define OWN "01890000-0000-7000-8000-000000000001"
#define OTHER "01890000-0000-7000-8000-000000000002"

static const struct {
    unsigned role;
    const char *id;
    enum err see, change, promote;
} rights[] = {
    {ROLE_CUSTOMER, OWN, ERR_NONE, ERR_NONE, ERR_FORBIDDEN},
    {ROLE_CUSTOMER, OTHER, ERR_NOT_FOUND, ERR_NOT_FOUND, ERR_NOT_FOUND},
    {ROLE_SERVICE, OWN, ERR_NONE, ERR_NONE, ERR_FORBIDDEN},
    {ROLE_SERVICE, OTHER, ERR_NONE, ERR_FORBIDDEN, ERR_FORBIDDEN},
    {ROLE_ADMIN, OWN, ERR_NONE, ERR_NONE, ERR_NONE},
    {ROLE_ADMIN, OTHER, ERR_NONE, ERR_NONE, ERR_NONE},
};

static void test_rights(void)
{
    const struct account_patch rename = {.name = TEXT("B")}, promote = {.role = TEXT("admin")},
                               revive = {.status = TEXT("active")};
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        struct identity caller = {.user_id = OWN, .role = rights[i].role};
        struct text id = text_of(rights[i].id);
        CU_ASSERT_EQUAL(account_may_see(&caller, id), rights[i].see);
        CU_ASSERT_EQUAL(account_may_change(&caller, id), rights[i].change);
        CU_ASSERT_EQUAL(account_may_patch(&caller, id, &rename), rights[i].change);
        CU_ASSERT_EQUAL(account_may_patch(&caller, id, &promote), rights[i].promote);
        CU_ASSERT_EQUAL(account_may_patch(&caller, id, &revive), rights[i].promote);
    }
}

static void test_nobody_sees_nothing(void)
{
    const struct identity nobody = {.role = 0};
    CU_ASSERT_EQUAL(account_may_see(&nobody, TEXT(OWN)), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(account_may_change(&nobody, TEXT(OWN)), ERR_NOT_FOUND);
}

static void test_patch(void)
{
    const struct account before = {.id = TEXT(OWN), .email = TEXT("a@b"), .email_key = TEXT("a@b"), .name = TEXT("A"),
                                   .role = ROLE_CUSTOMER, .active = true, .version = 7, .created_us = 1,
                                   .updated_us = 2};
    const struct account_patch all = {TEXT("C@D"), TEXT(" C "), TEXT("service"), TEXT("deactivated")};
    const struct account_patch none = {.name = TEXT_NONE};
    struct account after;
    struct arena arena;
    arena_init(&arena, 4096);
    CU_ASSERT_EQUAL_FATAL(account_patched(&before, &all, 9, &arena, &after), ERR_NONE);
    CU_ASSERT(text_equal(after.email, TEXT("C@d")));
    CU_ASSERT(text_equal(after.email_key, TEXT("c@d")));
    CU_ASSERT(text_equal(after.name, TEXT("C")));
    CU_ASSERT_EQUAL(after.role, ROLE_SERVICE);
    CU_ASSERT_FALSE(after.active);
    CU_ASSERT_EQUAL(after.version, 8);
    CU_ASSERT_EQUAL(after.created_us, 1);
    CU_ASSERT_EQUAL(after.updated_us, 9);
    CU_ASSERT_EQUAL_FATAL(account_patched(&before, &none, 9, &arena, &after), ERR_NONE);
    CU_ASSERT(text_equal(after.email, before.email) && text_equal(after.name, before.name) && after.active);
    arena_fini(&arena);
}

static void test_loss_of_an_admin(void)
{
    const struct account admin = {.role = ROLE_ADMIN, .active = true}, off = {.role = ROLE_ADMIN, .active = false},
                         customer = {.role = ROLE_CUSTOMER, .active = true};
    CU_ASSERT(account_loses_admin(&admin, &off));
    CU_ASSERT(account_loses_admin(&admin, &customer));
    CU_ASSERT_FALSE(account_loses_admin(&admin, &admin));
    CU_ASSERT_FALSE(account_loses_admin(&off, &customer));
    CU_ASSERT_FALSE(account_loses_admin(&customer, &off));
}

/* ---- hashing, at a cost that makes the test quick ---- */

static const struct password_cost cheap = {.passes = 1, .memory_kib = 64}, dearer = {.passes = 2, .memory_kib = 64};

static void test_hash_and_verify(void)
{
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    CU_ASSERT_EQUAL_FATAL(password_hash(secret_of(TEXT("correct horse")), &cheap, hash), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(password_hash(secret_of(TEXT("correct horse")), &cheap, again), ERR_NONE);
    CU_ASSERT_STRING_NOT_EQUAL(hash, again);
    CU_ASSERT(text_starts(text_of(hash), TEXT("$argon2id$")));
    CU_ASSERT_EQUAL(password_verify(secret_of(TEXT("correct horse")), text_of(hash)), ERR_NONE);
    CU_ASSERT_EQUAL(password_verify(secret_of(TEXT("correct horse ")), text_of(hash)), ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL(password_verify(secret_of(TEXT("")), text_of(hash)), ERR_UNAUTHENTICATED);
}

static void test_verify_against_what_is_no_hash(void)
{
    char longest[PASSWORD_HASH_SIZE + 10];
    memset(longest, 'x', sizeof longest);
    CU_ASSERT_EQUAL(password_verify(secret_of(TEXT("x")), TEXT("")), ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL(password_verify(secret_of(TEXT("x")), TEXT("*locked*")), ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL(password_verify(secret_of(TEXT("x")), (struct text){longest, sizeof longest}), ERR_UNAUTHENTICATED);
}

static void test_cost(void)
{
    const struct password_cost none = {.passes = 0, .memory_kib = 64}, tiny = {.passes = 1, .memory_kib = 1};
    char hash[PASSWORD_HASH_SIZE] = "untouched";
    CU_ASSERT_EQUAL(password_hash(secret_of(TEXT("secret")), &none, hash), ERR_CONFIG);
    CU_ASSERT_EQUAL(password_hash(secret_of(TEXT("secret")), &tiny, hash), ERR_CONFIG);
    CU_ASSERT_STRING_EQUAL(hash, "untouched");
    CU_ASSERT_EQUAL_FATAL(password_hash(secret_of(TEXT("secret")), &cheap, hash), ERR_NONE);
    CU_ASSERT_FALSE(password_outdated(text_of(hash), &cheap));
    CU_ASSERT(password_outdated(text_of(hash), &dearer));
    CU_ASSERT(password_outdated(TEXT("*locked*"), &cheap));
}

static int64_t verify_ns(struct text hash)
{
    int64_t from_ns = clock_cpu_ns();
    CU_ASSERT_EQUAL(password_verify(secret_of(TEXT("guess")), hash), ERR_UNAUTHENTICATED);
    return clock_cpu_ns() - from_ns;
}

/* Far apart only when the dummy is refused without the work. */
static void test_dummy_takes_as_long(void)
{
    const struct password_cost cost = {.passes = 2, .memory_kib = 8192};
    char hash[PASSWORD_HASH_SIZE], dummy[PASSWORD_HASH_SIZE];
    CU_ASSERT_EQUAL_FATAL(password_hash(secret_of(TEXT("secret")), &cost, hash), ERR_NONE);
    password_dummy(&cost, dummy);
    CU_ASSERT_EQUAL(strlen(dummy), strlen(hash));
    CU_ASSERT_FALSE(password_outdated(text_of(dummy), &cost));
    CU_ASSERT(verify_ns(text_of(dummy)) > verify_ns(text_of(hash)) / 4);
}

static const struct suite_case cases[] = {
    {"an e-mail address is local@domain, nothing fancier", test_email_form},
    {"an e-mail address has at most 254 bytes", test_email_length},
    {"case of the domain is dropped, of the rest only in the key", test_email_normal_form},
    {"without memory nothing is returned", test_email_without_memory},
    {"a name has 1 to 200 characters, none of them control", test_names},
    {"a password has a least number of characters and 1024 bytes", test_password_limits},
    {"who may see, change and promote whom", test_rights},
    {"nobody sees and changes nothing", test_nobody_sees_nothing},
    {"a patch changes what it has and raises the version", test_patch},
    {"an active admin is lost by demotion and by deactivation", test_loss_of_an_admin},
    {"a password verifies against its own hash only", test_hash_and_verify},
    {"nothing verifies against what is no hash", test_verify_against_what_is_no_hash},
    {"a cost out of range is refused, another cost is seen", test_cost},
    {"the dummy hash takes as long as a real one", test_dummy_takes_as_long},
};

int main(void)
{
    return suite_main("user_account", cases, sizeof cases / sizeof cases[0]);
}
