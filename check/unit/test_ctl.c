/* tandemctl: how it is called, what it says of settings, and asking services without a web server. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/fcgi_client.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"
#include "check/unit/ctl_program.h"

static struct ctl ctl;

static const struct {
    const char *words[2], *mentions;
} commands[] = {
    {{"user", "create"}, "--password-file"},
    {{"token", "create"}, "--days"},
    {{"get", NULL}, "--timeout-ms"},
    {{"status", NULL}, "--socket"},
    {{"trace", "list"}, "--service"},
    {{"trace", "show"}, "--timeout-ms"},
    {{"db", "backup"}, "--to"},
    {{"db", "restore"}, "--force"},
    {{"db", "check"}, "--from"},
    {{"db", "vacuum"}, "--set"},
    {{"conf", "check"}, "--set"},
    {{"conf", "print"}, "--service"},
    {{"conf", "digest"}, "--service"},
    {{"conf", "keygen"}, "--secret-key"},
    {{"conf", "sign"}, "--comment"},
    {{"conf", "verify"}, "--public-key"},
};

static void test_help(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "--help"), 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, commands[i].words[0]));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "--version"), 0);
    CU_ASSERT_STRING_EQUAL(ctl.out, "tandemctl " PACKAGE_VERSION "\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *first = commands[i].words[0], *second = commands[i].words[1];
        CU_ASSERT_EQUAL(second ? CTL_BARE(&ctl, first, second, "--help") : CTL_BARE(&ctl, first, "--help"), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, commands[i].mentions));
        CU_ASSERT_STRING_EQUAL(ctl.err, "");
    }
    ctl_end(&ctl);
}

/* By every way there is: of all, of a group, of a command. */
static void test_ways_to_help(void)
{
    static const struct {
        const char *words[4], *mentions, *does_not;
    } ways[] = {
        {{"-h"}, "db backup", NULL},
        {{"help"}, "db backup", NULL},
        {{"--help"}, "conf check", NULL},
        {{"help", "db"}, "db backup", "conf check"},
        {{"db", "--help"}, "db restore", "user create"},
        {{"db", "-h"}, "db vacuum", "user create"},
        {{"events", "-h"}, "events dead list", "db vacuum"},
        {{"help", "db", "backup"}, "--to", "db vacuum"},
        {{"db", "backup", "-h"}, "--to", "db vacuum"},
        {{"help", "get"}, "--timeout-ms", "db vacuum"},
        {{"help", "--help"}, "db backup", NULL},
    };
    ctl_begin(&ctl);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        CU_ASSERT_EQUAL(ctl_run(&ctl, false, ways[i].words), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, ways[i].mentions));
        CU_ASSERT(!ways[i].does_not || !strstr(ctl.out, ways[i].does_not));
        CU_ASSERT_STRING_EQUAL(ctl.err, "");
    }
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "-V"), 0);
    CU_ASSERT_STRING_EQUAL(ctl.out, "tandemctl " PACKAGE_VERSION "\n");
    ctl_end(&ctl);
}

/* Half a command is answered with the commands it may be. */
static void test_half_a_command(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "db"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "tandemctl: db needs one more word\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "db restore"));
    CU_ASSERT_PTR_NULL(strstr(ctl.err, "user create"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "db", "frobnicate"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "there is no command 'db frobnicate'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "db restore"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "frobnicate"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "there is no command 'frobnicate'\n"));
    ctl_end(&ctl);
}

static const char *const wrong[][8] = {
    {NULL},
    {"frobnicate"},
    {"user"},
    {"user", "frobnicate"},
    {"create", "user"},
    {"frobnicate", "--help"},
    {"help", "frobnicate"},
    {"help", "db", "frobnicate"},
    {"db"},
    {"events", "dead"},
    {"-x"},
    {"user", "create"},
    {"user", "create", "--email", "ann@example.org"},
    {"user", "create", "--email"},
    {"user", "create", "--email", "ann@example.org", "--name", "Ann", "stray"},
    {"user", "create", "--email", "ann@example.org", "--name", "Ann", "--admin=yes"},
    {"user", "create", "--email", "ann@example.org", "--name", "Ann", "--password=secret"},
    {"user", "create", "--email", "not an address", "--name", "Ann"},
    {"user", "create", "--email", "ann@example.org", "--name", " "},
    {"user", "create", "--email", "ann@example.org", "--name", "two\nlines"},
    {"user", "create", "--email", "ann@example.org", "--name", "\xff"},
    {"user", "create", "--email=ann@example.org", "--name=Ann", "--admin", "--service"},
    {"token", "create", "--email", "ann@example.org"},
    {"token", "create", "--email=a@b", "--file=/nowhere", "--days", "0"},
    {"token", "create", "--email=a@b", "--file=/nowhere", "--days", "3651"},
    {"token", "create", "--email=a@b", "--file=/nowhere", "--days", "ten"},
    {"get"},
    {"get", "127.0.0.1:1"},
    {"get", "127.0.0.1:1", "/", "stray"},
    {"get", "127.0.0.1:1", "no-slash"},
    {"get", "127.0.0.1:1", "/with blank"},
    {"get", "127.0.0.1", "/"},
    {"get", "127.0.0.1:0", "/"},
    {"get", "127.0.0.1:65536", "/"},
    {"get", "localhost:9001", "/"},
    {"get", ":9001", "/"},
    {"get", "[::1:9001", "/"},
    {"get", "[]:9001", "/"},
    {"get", "unix:relative", "/"},
    {"get", "127.0.0.1:1", "/", "--timeout-ms", "0"},
    {"get", "127.0.0.1:1", "/", "--config", "x"},
    {"status", "--socket", "unix:/no/name"},
    {"status", "--socket", "=unix:/no/name"},
    {"trace"},
    {"trace", "show"},
    {"trace", "show", "one", "two", "--socket", "a=unix:/x"},
    {"trace", "show", "a/b", "--socket", "a=unix:/x"},
    {"trace", "show", "", "--socket", "a=unix:/x"},
    {"trace", "show", "abc", "--socket", "unix:/no/name"},
    {"trace", "list", "--limit", "0"},
    {"trace", "list", "--service", "nobody", "--socket", "a=unix:/x"},
    {"trace", "list", "--timeout-ms", "never"},
    {"conf", "print", "--service", "nobody"},
    {"conf", "digest"},
    {"conf", "digest", "--service", "nobody"},
    {"conf", "keygen", "--public-key", "x"},
    {"conf", "sign", "--secret-key", "x"},
    {"conf", "sign", "x"},
    {"conf", "verify", "--public-key", "x"},
    {"conf", "verify", "x"},
};

static void test_usage_errors(void)
{
    ctl_begin(&ctl);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(ctl_run(&ctl, false, wrong[i]), 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "--help"));
        CU_ASSERT_STRING_EQUAL(ctl.out, "");
    }
    ctl_end(&ctl);
}

static void test_repeated_option(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "print", "--set=pool.threads=7", "--set", "page.limit_max=77"), 0);
    CU_ASSERT(strstr(ctl.out, "77") != NULL && strstr(ctl.out, "7") != NULL);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "check", "--set", "pool.threads=0", "--set", "page.limit_max=0"), 1);
    CU_ASSERT(strstr(ctl.err, "pool.threads") != NULL && strstr(ctl.err, "page.limit_max") != NULL);
    ctl_end(&ctl);
}

/* ---- settings ---- */

static void test_conf_check(void)
{
    char path[512];
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "check", "--set", "db.path=/var/lib/tandem/other.db"), 0);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "check", "--service", "user"), 0);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "check", "--service", "order"), 1);   /* which has no database there */
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "db.path"));
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "check", "--service", "pigeon"), 2);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "check", "--set", "db.batch_max=0"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "db.batch_max"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "check", "--config", "/nowhere/tandem.conf"), 1);
    ctl_file(&ctl, "bad.conf", "service = { order = { db = { batch = 3; }; }; };\n", 0644, path, sizeof path);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "check", "--config", path), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "batch"));
    ctl_end(&ctl);
}

static void test_conf_print(void)
{
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "print", "--service", "user"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, ctl.database));
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "print", "--service", "order"), 0);
    CU_ASSERT_PTR_NULL(strstr(ctl.out, ctl.database));
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "print", "--set", "nonesuch=1"), 1);
    ctl_end(&ctl);
}

static void test_conf_digest(void)
{
    char first[128];
    ctl_begin(&ctl);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "digest", "--service", "user"), 0);
    CU_ASSERT_EQUAL(strlen(ctl.out), 64 + 1);
    snprintf(first, sizeof first, "%s", ctl.out);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "digest", "--service", "order"), 0);
    CU_ASSERT_STRING_NOT_EQUAL(ctl.out, first);
    CU_ASSERT_EQUAL(CTL(&ctl, "conf", "digest", "--service", "user", "--set", "pool.threads=0"), 1);
    CU_ASSERT_STRING_EQUAL(ctl.out, "");
    ctl_end(&ctl);
}

/* ---- signatures ---- */

static char public_key[512], secret_key[512], signed_file[512], other_file[512];

static void begin_signing(void)
{
    ctl_begin(&ctl);
    snprintf(public_key, sizeof public_key, "%s/key.pub", ctl.folder);
    snprintf(secret_key, sizeof secret_key, "%s/key.sec", ctl.folder);
    ctl_file(&ctl, "signed.conf", "log = { };\n", 0644, signed_file, sizeof signed_file);
    ctl_file(&ctl, "other.conf", "", 0644, other_file, sizeof other_file);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "keygen", "--public-key", public_key, "--secret-key", secret_key), 0);
    CU_ASSERT_EQUAL(strlen(ctl.out), 16 + 1);
}

static void test_conf_keygen(void)
{
    char another[600];
    struct stat status;
    begin_signing();
    CU_ASSERT(stat(secret_key, &status) == 0 && (status.st_mode & 07777) == 0600);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "keygen", "--public-key", public_key, "--secret-key", secret_key), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "not overwritten"));
    snprintf(another, sizeof another, "%s.another", public_key);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "keygen", "--public-key", another, "--secret-key", secret_key), 1);
    CU_ASSERT_NOT_EQUAL(access(another, F_OK), 0);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "keygen", "--public-key=/nowhere/x/k", "--secret-key", another), 1);
    CU_ASSERT_NOT_EQUAL(access(another, F_OK), 0);
    ctl_end(&ctl);
}

static void test_conf_sign(void)
{
    begin_signing();
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "verify", "--public-key", public_key, signed_file), 1);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "sign", "--secret-key", secret_key, signed_file, other_file), 0);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "verify", "--public-key", public_key, signed_file, other_file), 0);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "sign", "--secret-key", secret_key, "--comment", "two\nlines", signed_file),
                    1);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "sign", "--secret-key", public_key, signed_file), 1);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "sign", "--secret-key", secret_key, "/nowhere/x.conf"), 1);
    CU_ASSERT_EQUAL(chmod(secret_key, 0644), 0);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "sign", "--secret-key", secret_key, signed_file), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "mode 0644"));
    ctl_end(&ctl);
}

/* Each file is told of, whatever is wrong with those before it. */
static void test_conf_verify(void)
{
    begin_signing();
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "sign", "--secret-key", secret_key, signed_file, other_file), 0);
    ctl_file(&ctl, "signed.conf", "log = { }; \n", 0644, signed_file, sizeof signed_file);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "verify", "--public-key", public_key, signed_file, other_file), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "signed.conf: it is not what was signed"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "other.conf: signed\n"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "conf", "verify", "--public-key", signed_file, other_file), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "not a public key"));
    ctl_end(&ctl);
}

/* ---- asking services ---- */

static bool answers(void *context)
{
    return CTL_BARE(&ctl, "get", context, "/ping") == 0;
}

static void test_get_and_status(void)
{
    char program[512], log[512], address[300], good[320], dead[320];
    struct process service;
    ctl_begin(&ctl);
    ctl_built("tandem-user", program, sizeof program);
    snprintf(log, sizeof log, "%s/service.log", ctl.folder);
    snprintf(address, sizeof address, "unix:%s/user.sock", ctl.folder);
    snprintf(good, sizeof good, "users=%s", address);
    snprintf(dead, sizeof dead, "dead=unix:%s/dead.sock", ctl.folder);
    const char *const argv[] = {program, "--config", ctl.config, NULL};
    CU_ASSERT_EQUAL_FATAL(process_start(argv, log, SIGTERM, &service), ERR_NONE);
    CU_ASSERT(process_until(answers, address, 10000));

    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "get", address, "/version"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, PACKAGE_VERSION));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "get", address, "/v1/users/me"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "401"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "/problems/"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "get", "--timeout-ms=9000", "--", address, "/readyz"), 0);

    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "status", "--socket", good), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "users        ready"));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "status", "--socket", dead, "--socket", good), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "dead         unreachable"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "users        ready"));
    CU_ASSERT(CTL(&ctl, "status") <= 1);   /* order and inventory are looked for where an installed one would be */
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "user         ready"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.out, "unix:/run/tandem/order.sock"));

    CU_ASSERT_EQUAL(process_stop(&service, SIGTERM, 20000), ERR_NONE);
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "get", address, "/ping"), 1);
    ctl_end(&ctl);
}

/* A socket of ours that says something else than it should, or nothing. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    CU_ASSERT_FATAL(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    return fd;
}

/* In a process of its own, which ends with its one connection. */
static pid_t say_once(int listening, struct text answer)
{
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (pid > 0)
        return pid;
    char request[4096];
    int fd = accept(listening, NULL, NULL);
    ssize_t got = read(fd, request, sizeof request);
    _exit(got > 0 && write(fd, answer.at, answer.length) == (ssize_t)answer.length ? 0 : 1);
}

static void test_silence_is_bounded(void)
{
    char path[96], address[128];
    ctl_begin(&ctl);
    snprintf(path, sizeof path, "%s/mute", ctl.folder);
    snprintf(address, sizeof address, "unix:%s", path);
    int fd = listen_at(path);
    int64_t from_ns = clock_now_ns();
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "get", "--timeout-ms", "100", address, "/"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(ctl.err, "in time"));
    CU_ASSERT(clock_now_ns() - from_ns < 10 * NS_PER_S);
    close(fd);
    ctl_end(&ctl);
}

static void expect_answer(const char *address, int listening, const struct buf *answer, int status, const char *says)
{
    int child_status;
    pid_t pid = say_once(listening, buf_text(answer));
    CU_ASSERT_EQUAL(CTL_BARE(&ctl, "get", address, "/"), status);
    CU_ASSERT_PTR_NOT_NULL(strstr(status == 0 ? ctl.out : ctl.err, says));
    CU_ASSERT_EQUAL(waitpid(pid, &child_status, 0), pid);
}

static const struct {
    const char *content;        /* of STDOUT; NULL: the bytes below as they are */
    const char *bytes;
    int protocol_status;
    int exit_status;
    const char *says;
} replies[] = {
    {"Content-Type: text/plain\r\n\r\nno status is 200", NULL, 0, 0, "no status is 200"},
    {"status: 204 No Content\n\n", NULL, 0, 0, ""},
    {"Status: 503 Busy\r\n\r\nbusy", NULL, 0, 1, "503"},
    {"Status: x\r\n\r\n", NULL, 0, 1, "header block"},
    {"Status: 200 OK\r\n", NULL, 0, 1, "header block"},
    {"no colon\r\n\r\n", NULL, 0, 1, "header block"},
    {"", NULL, 0, 1, "header block"},
    {"", NULL, 2, 1, "overloaded"},
    {"", NULL, 9, 1, "malformed end"},
    {NULL, "HTTP/1.1 400 Bad Request\r\n\r\n", 0, 1, "not FastCGI"},
    {NULL, "\1\6", 0, 1, "hung up"},
    {NULL, "", 0, 1, "hung up"},
};

static void test_odd_answers(void)
{
    char path[96], address[128];
    ctl_begin(&ctl);
    snprintf(path, sizeof path, "%s/odd", ctl.folder);
    snprintf(address, sizeof address, "unix:%s", path);
    int fd = listen_at(path);
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        const char end[8] = {0, 0, 0, 0, (char)replies[i].protocol_status};
        struct buf answer;
        buf_init(&answer, 4096);
        if (replies[i].content) {
            fcgi_put_record(&answer, FCGI_STDERR, 1, TEXT("is passed over"), 0);
            fcgi_put_record(&answer, FCGI_STDOUT, 1, text_of(replies[i].content), 3);
            fcgi_put_record(&answer, FCGI_END, 1, (struct text){end, sizeof end}, 0);
        } else {
            buf_add_string(&answer, replies[i].bytes);
        }
        expect_answer(address, fd, &answer, replies[i].exit_status, replies[i].says);
        buf_fini(&answer);
    }
    close(fd);
    ctl_end(&ctl);
}

static const struct suite_case cases[] = {
    {"help and version, of all and of each", test_help},
    {"help is had in every way that is usual", test_ways_to_help},
    {"half a command is answered with what it may be", test_half_a_command},
    {"being called wrongly is status 2 with a hint", test_usage_errors},
    {"an option may be repeated", test_repeated_option},
    {"conf check says what is wrong", test_conf_check},
    {"conf print shows what a service has", test_conf_print},
    {"conf digest is of what a service has", test_conf_digest},
    {"conf keygen keeps the secret one, and overwrites nothing", test_conf_keygen},
    {"conf sign signs what conf verify takes", test_conf_sign},
    {"conf verify tells of each file", test_conf_verify},
    {"get and status ask a service without a web server", test_get_and_status},
    {"a service that is silent costs no more than the timeout", test_silence_is_bounded},
    {"odd answers are told apart", test_odd_answers},
};

int main(void)
{
    return suite_main("ctl", cases, sizeof cases / sizeof cases[0]);
}
