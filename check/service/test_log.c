/* The log of the system: one request id through all of it, no secret in any of it, and no line lost by a rotation. */
#include "config.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/harness/process.h"
#include "check/harness/system_accounts.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { PATIENCE_MS = 20000, PATH_SIZE = 512, ROTATIONS = 5, ROTATED_REQUESTS = 40 };

static char *folder, file[PATH_SIZE / 2], file_setting[PATH_SIZE];

/* Everything, so that there is the most in which a secret could be. All services share the file. */
static const char *settings[] = {"log.level=debug", "log.sink=file", file_setting, NULL};

/* ---- reading files ---- */

/* A whole file, zero-terminated and the caller's to free; NULL when it cannot be read. */
static char *contents(const char *path, size_t *ret_length)
{
    FILE *stream = fopen(path, "re");
    struct stat status;
    if (!stream)
        return NULL;
    char *bytes = fstat(fileno(stream), &status) == 0 ? malloc((size_t)status.st_size + 1) : NULL;
    size_t length = bytes ? fread(bytes, 1, (size_t)status.st_size, stream) : 0;
    fclose(stream);
    if (bytes)
        bytes[length] = '\0';
    if (ret_length)
        *ret_length = length;
    return bytes;
}

struct wanted {
    const char *parts[4];         /* what one line has, all of them */
    int lines;                    /* how many such there are at least */
    char *found;                  /* the first such line; the caller's to free */
};

static bool line_has(const char *line, const char *const parts[4])
{
    for (int i = 0; i < 4; i++)
        if (parts[i] && !strstr(line, parts[i]))
            return false;
    return true;
}

static bool is_logged(void *context)
{
    struct wanted *wanted = context;
    char *log = contents(file, NULL), *rest = log;
    int lines = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!line_has(line, wanted->parts))
            continue;
        lines++;
        free(wanted->found);
        wanted->found = strdup(line);
    }
    free(log);
    return lines >= wanted->lines;
}

/* Waits for a line that has all of it; the line, until the next call. Fails the case when none comes. */
static const char *expect_line(const char *a, const char *b, const char *c, const char *d)
{
    static struct wanted wanted;
    char said[PATH_SIZE];
    free(wanted.found);
    wanted = (struct wanted){{a, b, c, d}, 1, NULL};
    if (process_until(is_logged, &wanted, PATIENCE_MS))
        return wanted.found;
    snprintf(said, sizeof said, "no line with %s, %s, %s, %s", a, b ? b : "", c ? c : "", d ? d : "");
    CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_TRUE);
    return "";
}

/* ---- one id ---- */

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"

static void keep_id(const struct http_answer *order, char out[static STEP_ID_SIZE])
{
    snprintf(out, STEP_ID_SIZE, "%s", http_json_text(order, "/id"));
}

/* A customer whose token no service has seen, so that order has to ask whose it is. */
static void test_one_id(void)
{
    static const struct {
        const char *service, *what, *which;
    } rows[] = {
        {"order", "\"msg\":\"request\"", "\"route\":\"/v1/orders\""},
        {"user", "\"msg\":\"request\"", "\"route\":\"/v1/sessions/introspect\""},
        {"inventory", "\"msg\":\"event applied\"", "\"type\":\"order.placed.v1\""},
        {"order", "\"msg\":\"event applied\"", "\"type\":\"stock.reserved.v1\""},
        {"order", "\"msg\":\"payment recorded\"", "\"outcome\":\"approved\""},
        {"inventory", "\"msg\":\"event applied\"", "\"type\":\"order.paid.v1\""},
    };
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], given[64], request_id[96], service[64];
    step_item(5, sku);
    snprintf(given, sizeof given, "one-id.of-%s-%u", variant_now()->front, step_number());
    http_with(client, "X-Request-Id: %s", given);
    http_with(client, "traceparent: 00-" TRACE_ID "-b7ad6b7169203331-01");
    struct http_answer *order = step_order(client, sku, 1, NULL);
    EXPECT_STATUS(order, 201);
    CU_ASSERT_STRING_EQUAL(http_answer_header(order, "X-Request-Id"), given);
    keep_id(order, id);
    step_await(client, id, "paid");
    snprintf(request_id, sizeof request_id, "\"request_id\":\"%s\"", given);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(service, sizeof service, "\"service\":\"%s\"", rows[i].service);
        const char *line = expect_line(request_id, service, rows[i].what, rows[i].which);
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"trace_id\":\"" TRACE_ID "\""));
    }
}

/* 128 characters is the longest id that is taken, and is carried whole. */
static void test_longest_id(void)
{
    struct http_client *client = variant_new_customer();
    char sku[STEP_ID_SIZE], id[STEP_ID_SIZE], given[129], request_id[160];
    step_item(1, sku);
    snprintf(given, sizeof given, "%-.20s-%0*u", variant_now()->transport,
             (int)(sizeof given - 2 - strlen(variant_now()->transport)), step_number());
    http_with(client, "X-Request-Id: %s", given);
    keep_id(step_order(client, sku, 1, NULL), id);
    snprintf(request_id, sizeof request_id, "\"request_id\":\"%s\"", given);
    expect_line(request_id, "\"service\":\"inventory\"", "\"type\":\"order.paid.v1\"", NULL);
    expect_line(request_id, "\"service\":\"user\"", "\"route\":\"/v1/sessions/introspect\"", NULL);
}

static void test_access_line(void)
{
    static const char *const members[] = {
        "{\"time\":\"", "\"level\":\"info\"", "\"instance\":\"", "\"msg\":\"request\"", "\"user_id\":\"",
        "\"module\":\"net\"", "\"method\":\"GET\"", "\"route\":\"/v1/users/{id}\"", "\"status\":200", "\"bytes\":",
        "\"duration_ms\":", "\"queue_ms\":",
    };
    struct http_client *client = variant_customer();
    char path[128], request_id[96];
    snprintf(path, sizeof path, "/v1/users/%s", system_customer_id(variant_system()));
    struct http_answer *answer = http_get(client, path);
    EXPECT_STATUS(answer, 200);
    snprintf(request_id, sizeof request_id, "\"request_id\":\"%s\"", http_answer_header(answer, "X-Request-Id"));
    const char *line = expect_line(request_id, "\"service\":\"user\"", NULL, NULL);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(line, members[i]));
    CU_ASSERT_PTR_NULL(strstr(line, "/v1/users/0"));
    double duration_ms = strtod(strstr(line, "\"duration_ms\":") + strlen("\"duration_ms\":"), NULL);
    double queue_ms = strtod(strstr(line, "\"queue_ms\":") + strlen("\"queue_ms\":"), NULL);
    CU_ASSERT(queue_ms >= 0 && queue_ms <= duration_ms);
}

/* ---- rotation ---- */

static bool is_there(void *path)
{
    return access(path, F_OK) == 0;
}

static void test_rotation(void)
{
    struct http_client *client = variant_anonymous();
    char old[PATH_SIZE], wanted[96];
    unsigned mark = step_number();
    for (int i = 0; i < ROTATIONS * ROTATED_REQUESTS; i++) {
        if (i % ROTATED_REQUESTS == 0) {
            snprintf(old, sizeof old, "%s.%u.%d", file, mark, i / ROTATED_REQUESTS);
            CU_ASSERT_TRUE(process_until(is_there, file, PATIENCE_MS));   /* opened anew since the last time */
            CU_ASSERT_EQUAL(rename(file, old), 0);
            for (enum system_service service = 0; service < SYSTEM_SERVICES; service++)
                system_service_signal(variant_system(), service, SIGUSR1);
        }
        http_with(client, "X-Request-Id: rotated-%u-%d.", mark, i);
        EXPECT_STATUS(http_get(client, i % 2 ? "/user/ping" : "/inventory/ping"), 200);
    }
    snprintf(wanted, sizeof wanted, "\"rotated-%u-%d.\"", mark, ROTATIONS * ROTATED_REQUESTS - 1);
    expect_line(wanted, NULL, NULL, NULL);
    snprintf(wanted, sizeof wanted, "\"rotated-%u-%d.\"", mark, ROTATIONS * ROTATED_REQUESTS - 2);
    expect_line(wanted, NULL, NULL, NULL);
    char *logs[ROTATIONS + 1];
    for (int i = 0; i <= ROTATIONS; i++) {
        snprintf(old, sizeof old, "%s.%u.%d", file, mark, i);
        logs[i] = contents(i < ROTATIONS ? old : file, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(logs[i]);
    }
    for (int i = 0; i < ROTATIONS * ROTATED_REQUESTS; i++) {
        int found = 0;
        snprintf(wanted, sizeof wanted, "\"rotated-%u-%d.\"", mark, i);
        for (int j = 0; j <= ROTATIONS; j++)
            found += strstr(logs[j], wanted) != NULL;
        CU_ASSERT_EQUAL(found, 1);
    }
    for (int i = 0; i <= ROTATIONS; i++)
        free(logs[i]);
}

/* ---- secrets ---- */

#define MARK "MARKED-secret"

/* Every kind of request that has a secret in it, done rightly and wrongly. */
static void use_secrets(char *ret_token, size_t token_size)
{
    struct http_client *client = variant_anonymous();
    char email[64], path[128], sku[STEP_ID_SIZE], id[STEP_ID_SIZE];
    snprintf(email, sizeof email, "secretive-%u@example.org", step_number());
    http_with(client, "Idempotency-Key: %s", email);
    struct http_answer *answer = http_send(client, "POST", "/v1/users", "{\"email\":\"%s\",\"name\":\"S\",\"password\":"
                                           "\"" MARK "-password\"}", email);
    EXPECT_STATUS(answer, 201);
    snprintf(path, sizeof path, "/v1/users/%s/password", http_json_text(answer, "/id"));
    http_with(client, "Idempotency-Key: %s-refused", email);
    EXPECT_STATUS(http_send(client, "POST", "/v1/users", "{\"email\":\"x\",\"name\":\"S\",\"password\":"
                            "\"" MARK "-refused\"}"), 422);
    EXPECT_STATUS(http_send(client, "POST", "/v1/users", "{\"password\":\"" MARK "-cut"), 400);
    EXPECT_STATUS(http_send(client, "POST", "/v1/sessions", "{\"email\":\"%s\",\"password\":\"" MARK "-wrong\"}",
                            email), 401);
    EXPECT_STATUS(http_send(client, "POST", "/v1/sessions", "{\"email\":\"%s\",\"password\":[\"" MARK "-odd\"]}",
                            email), 422);
    answer = http_send(client, "POST", "/v1/sessions", "{\"email\":\"%s\",\"password\":\"" MARK "-password\"}", email);
    EXPECT_STATUS(answer, 201);
    snprintf(ret_token, token_size, "%s", http_json_text(answer, "/token"));
    CU_ASSERT(strlen(ret_token) > 20);
    http_client_token(client, ret_token);
    EXPECT_STATUS(http_send(client, "PUT", path, "{\"current_password\":\"" MARK "-other\",\"new_password\":\"" MARK
                            "-new\"}"), 403);
    EXPECT_STATUS(http_send(client, "PUT", path, "{\"current_password\":\"" MARK "-password\",\"new_password\":\"" MARK
                            "-new\"}"), 204);
    EXPECT_STATUS(http_get(client, "/v1/sessions/current"), 200);
    step_item(1, sku);
    answer = step_order(client, sku, 1, MARK "-card");
    EXPECT_STATUS(answer, 201);
    keep_id(answer, id);
    step_await(client, id, "cancelled");
    EXPECT_STATUS(step_order(client, "no-such-item", 1, MARK "-card"), 422);
    static const char introspect[] = "/v1/sessions/introspect";
    EXPECT_STATUS(http_send(variant_service(), "POST", introspect, "{\"token\":\"%s\"}", ret_token), 200);
    EXPECT_STATUS(http_send(variant_service(), "POST", introspect, "{\"token\":\"" MARK "-token\"}"), 200);
    EXPECT_STATUS(http_send_nothing(client, "DELETE", "/v1/sessions/current"), 204);
    struct http_client *stranger = variant_anonymous();
    http_client_token(stranger, MARK "-bearer");
    EXPECT_STATUS(http_get(stranger, "/v1/orders"), 401);
    EXPECT_STATUS(http_get(stranger, "/v1/users/me"), 401);
    http_client_token(stranger, NULL);
    http_with(stranger, "Authorization: Basic " MARK "-basic");
    EXPECT_STATUS(http_get(stranger, "/v1/orders"), 401);
}

/* Files that were looked into, of the logs and of the databases. */
struct search {
    const char *secret, *allowed_file, *allowed_secret;
    int logs, databases;
};

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static void search_file(const char *path, struct search *search)
{
    char said[PATH_SIZE * 2];
    size_t length = 0, secret_length = strlen(search->secret);
    char *bytes = contents(path, &length);
    const char *at = bytes;
    while (bytes && (at = memmem(at, length - (size_t)(at - bytes), search->secret, secret_length))) {
        bool allowed = search->allowed_file && strstr(path, search->allowed_file)
                    && strncmp(at, search->allowed_secret, strlen(search->allowed_secret)) == 0;
        if (!allowed) {
            snprintf(said, sizeof said, "%s has a secret: %.40s", path, at);
            CU_assertImplementation(CU_FALSE, __LINE__, said, __FILE__, "", CU_FALSE);
        }
        at += secret_length;
    }
    search->logs += bytes && strstr(path, "log") != NULL;
    search->databases += bytes && (ends_with(path, ".db") || ends_with(path, ".db-wal"));
    free(bytes);
}

/* But for the files in which a test keeps its own, and for the front's, whose page shows the same sample password. */
static void search_folder(const char *path, struct search *search)
{
    char inner[PATH_SIZE];
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && strcmp(entry->d_name, "front") != 0)
            search_folder(inner, search);
        else if (entry->d_type == DT_REG && !ends_with(inner, "service.token") && !ends_with(inner, "/password"))
            search_file(inner, search);
    }
    if (entries)
        closedir(entries);
}

/* The gateway's token for how an order is paid is part of the order: it is in order's database, and nowhere else. */
static void test_secrets(void)
{
    char token[128] = "";
    use_secrets(token, sizeof token);
    expect_line("\"msg\":\"request\"", "\"status\":401", "\"service\":\"order\"", "/v1/orders");
    const char *const secrets[] = {MARK, token, SYSTEM_PASSWORD, system_admin(variant_system()),
                                   system_service_token(variant_system())};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        struct search search = {secrets[i], "/order.db", MARK "-card", 0, 0};
        search_folder(system_folder(variant_system()), &search);
        search_folder(folder, &search);
        CU_ASSERT(search.logs >= 5);
        CU_ASSERT(search.databases >= 5);
    }
}

static const struct suite_case cases[] = {
    {"one request id is in the logs of all three services, for all that came of it", test_one_id},
    {"the longest request id is carried whole", test_longest_id},
    {"an access line tells what there is to tell", test_access_line},
    {"logs that are renamed are opened anew, and no line is lost", test_rotation},
    {"no secret is in a log or a database", test_secrets},
};

int main(void)
{
    folder = process_folder();
    if (!folder)
        return EXIT_FAILURE;
    snprintf(file, sizeof file, "%s/services.log", folder);
    snprintf(file_setting, sizeof file_setting, "log.file=%s", file);
    int status = variants_main("log", cases, sizeof cases / sizeof cases[0], settings);
    process_remove(folder);
    free(folder);
    return status;
}
