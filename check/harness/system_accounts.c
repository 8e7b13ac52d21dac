#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check/harness/http_client.h"
#include "check/harness/process.h"
#include "check/harness/system_accounts.h"

enum { PATH_SIZE = 300 };

static char *sign_in(const char *url, const char *email)
{
    struct http_client *client = http_client_new(url);
    struct http_answer *answer = http_send(client, "POST", "/v1/sessions", "{\"email\":\"%s\",\"password\":\"%s\"}",
                                           email, SYSTEM_PASSWORD);
    char *token = NULL;
    if (answer->status == 201)
        token = strdup(http_json_text(answer, "/token"));
    else
        err_because(ERR_UNAUTHENTICATED, "%s cannot sign in: %d %s", email, answer->status, answer->body);
    http_client_free(client);
    return token;
}

char *system_accounts_customer(const char *url, const char *email, char **ret_id)
{
    struct http_client *client = http_client_new(url);
    http_with(client, "Idempotency-Key: %s", email);
    struct http_answer *answer =
        http_send(client, "POST", "/v1/users", "{\"email\":\"%s\",\"name\":\"A Customer\",\"password\":\"%s\"}", email,
                  SYSTEM_PASSWORD);
    char *token = NULL;
    if (answer->status == 201) {
        token = sign_in(url, email);
        if (ret_id)
            *ret_id = strdup(http_json_text(answer, "/id"));
    } else {
        err_because(ERR_INTERNAL, "%s cannot register: %d %s", email, answer->status, answer->body);
    }
    http_client_free(client);
    return token;
}

static enum err write_line(const char *path, const char *line)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return err_because(ERR_IO, "open %s: %s", path, strerror(errno));
    fchmod(fileno(file), 0600);
    fprintf(file, "%s\n", line);
    return fclose(file) == 0 ? ERR_NONE : err_because(ERR_IO, "write %s: %s", path, strerror(errno));
}

static char *read_line(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256] = "";
    if (!file)
        return NULL;
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return read ? strdup(line) : NULL;
}

enum err system_accounts_make(struct system_accounts *accounts, const char *build, const char *folder, const char *url)
{
    char program[PATH_SIZE], config[PATH_SIZE], password[PATH_SIZE], token[PATH_SIZE], log[PATH_SIZE];
    snprintf(program, sizeof program, "%s/tandemctl", build);
    snprintf(config, sizeof config, "%s/tandem.conf", folder);
    snprintf(password, sizeof password, "%s/password", folder);
    snprintf(token, sizeof token, "%s/service.token", folder);
    snprintf(log, sizeof log, "%s/log/ctl.log", folder);
    const char *const create[] = {program, "user", "create", "--config", config, "--admin", "--email",
                                  SYSTEM_ADMIN_EMAIL, "--name", "Admin", "--password-file", password, NULL};
    const char *const create_service[] = {program, "user", "create", "--config", config, "--service", "--email",
                                          "services@example.org", "--name", "Services", "--password-file", password,
                                          NULL};
    const char *const make_token[] = {program, "token", "create", "--config", config, "--email",
                                      "services@example.org", "--days", "30", "--file", token, NULL};
    enum err err = write_line(password, SYSTEM_PASSWORD);
    if (!err)
        err = process_run(create, log);
    if (!err)
        err = process_run(create_service, log);
    if (!err)
        err = process_run(make_token, log);
    if (err)
        return err;
    accounts->admin = sign_in(url, SYSTEM_ADMIN_EMAIL);
    accounts->customer = system_accounts_customer(url, "customer@example.org", &accounts->customer_id);
    accounts->service = read_line(token);
    return accounts->admin && accounts->customer && accounts->service ? ERR_NONE : ERR_INTERNAL;
}

void system_accounts_free(struct system_accounts *accounts)
{
    free(accounts->admin);
    free(accounts->customer);
    free(accounts->customer_id);
    free(accounts->service);
}
