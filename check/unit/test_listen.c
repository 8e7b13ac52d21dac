/* net/listen: what is inherited, what is opened, what is refused. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/harness/fcgi_client.h"
#include "check/harness/suite.h"
#include "net/listen.h"

static char folder[64], path[96], address[128];

static void folder_make(void)
{
    snprintf(folder, sizeof folder, "/tmp/tandem-listen-XXXXXX");
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/sock", folder);
    snprintf(address, sizeof address, "unix:%s", path);
}

static void folder_remove(void)
{
    CU_ASSERT_EQUAL(rmdir(folder), 0);   /* also: nothing was left in it */
}

static enum err open_at(const char *where, struct listener *ret)
{
    struct listen_opts opts = {.address = where, .socket_mode = 0640};
    return listener_open(&opts, ret);
}

static bool answers(const char *where)
{
    struct fcgi_client client;
    bool open = fcgi_client_open(&client, where);
    fcgi_client_close(&client);
    return open;
}

static void check_flags(int fd)
{
    CU_ASSERT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CU_ASSERT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_unix(void)
{
    struct listener listener;
    struct stat status;
    folder_make();
    CU_ASSERT_EQUAL_FATAL(open_at(address, &listener), ERR_NONE);
    CU_ASSERT_FALSE(listener.inherited);
    CU_ASSERT_STRING_EQUAL(listener.path, path);
    check_flags(listener.fd);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0777, 0640);
    CU_ASSERT_TRUE(answers(address));
    listener_close(&listener);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    listener_close(&listener);   /* again does nothing */
    folder_remove();
}

static void test_unix_in_use(void)
{
    struct listener first, second = {.fd = -7};
    folder_make();
    CU_ASSERT_EQUAL_FATAL(open_at(address, &first), ERR_NONE);
    CU_ASSERT_EQUAL(open_at(address, &second), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "already in use"));
    CU_ASSERT_EQUAL(second.fd, -7);
    CU_ASSERT_TRUE(answers(address));
    listener_close(&first);
    folder_remove();
}

static void test_unix_stale(void)
{
    struct listener first, second;
    folder_make();
    CU_ASSERT_EQUAL_FATAL(open_at(address, &first), ERR_NONE);
    close(first.fd);   /* as when the program was killed: the file stays */
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_EQUAL_FATAL(open_at(address, &second), ERR_NONE);
    CU_ASSERT_TRUE(answers(address));
    listener_close(&second);
    folder_remove();
}

static void test_unix_file(void)
{
    struct listener listener;
    folder_make();
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    CU_ASSERT_EQUAL(open_at(address, &listener), ERR_IO);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);   /* a file that is no socket is never removed */
    unlink(path);
    folder_remove();
}

static void test_unix_folder_missing(void)
{
    struct listener listener;
    CU_ASSERT_EQUAL(open_at("unix:/nowhere/at/all/sock", &listener), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "No such file"));
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage where;
    socklen_t size = sizeof where;
    if (getsockname(fd, (struct sockaddr *)&where, &size))
        return 0;
    if (where.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&where)->sin6_port);
    return ntohs(((struct sockaddr_in *)&where)->sin_port);
}

static void test_tcp(void)
{
    struct listener listener, second;
    char where[64];
    CU_ASSERT_EQUAL_FATAL(open_at("127.0.0.1:0", &listener), ERR_NONE);
    check_flags(listener.fd);
    CU_ASSERT_STRING_EQUAL(listener.path, "");
    snprintf(where, sizeof where, "127.0.0.1:%u", port_of(listener.fd));
    CU_ASSERT_TRUE(answers(where));
    CU_ASSERT_EQUAL(open_at(where, &second), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "already in use"));
    listener_close(&listener);
    CU_ASSERT_FALSE(answers(where));
}

static void test_tcp6(void)
{
    struct listener listener;
    enum err err = open_at("[::1]:0", &listener);
    if (err == ERR_IO) {
        suite_skip("this machine has no IPv6");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(err, ERR_NONE);
    CU_ASSERT_TRUE(port_of(listener.fd) > 0);
    listener_close(&listener);
}

static void test_bad_addresses(void)
{
    char too_long[128] = "unix:/";
    const char *const bad[] = {
        NULL, "", "unix:", "9001", ":9001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1",
        "127.0.0.1:65536", "::1:9001", "[::1]", "[]:9001", "[::1:9001", "localhost.:1", "/run/sock", too_long,
    };
    memset(too_long + strlen(too_long), 'x', 107);   /* 108 with the slash: no room for the zero */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct listener listener = {.fd = -7};
        CU_ASSERT_EQUAL(open_at(bad[i], &listener), ERR_CONFIG);
        CU_ASSERT_EQUAL(listener.fd, -7);
        CU_ASSERT_TRUE(*err_cause() != '\0');
    }
}

/* Runs a check in a child, whose descriptors and environment it may rearrange; true when it returned true. */
static bool in_child(bool (*check)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (!child)
        _exit(check() ? 0 : 1);
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int listening_socket(void)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&where, sizeof where) || listen(fd, 1))
        abort();
    return fd;
}

static bool inherits(int fd)
{
    struct listener listener;
    bool good = open_at("unix:/nowhere/sock", &listener) == ERR_NONE && listener.fd == fd && listener.inherited &&
                (fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC) && !*listener.path;
    return good;
}

static bool child_stdin(void)
{
    dup2(listening_socket(), 0);
    return inherits(0);
}

static void systemd_says(pid_t pid, const char *count)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", (long)pid);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", count, 1);
}

static bool child_systemd(void)
{
    dup2(listening_socket(), 3);
    dup2(listening_socket(), 0);   /* which comes second */
    systemd_says(getpid(), "1");
    return inherits(3) && !getenv("LISTEN_PID") && !getenv("LISTEN_FDS");
}

static bool child_systemd_other(void)
{
    struct listener listener;
    dup2(listening_socket(), 3);
    systemd_says(getppid(), "1");   /* meant for another process */
    return open_at("127.0.0.1:0", &listener) == ERR_NONE && !listener.inherited;
}

static bool child_systemd_wrong(void)
{
    struct listener listener;
    dup2(open("/dev/null", O_RDONLY), 3);
    systemd_says(getpid(), "1");
    return open_at("127.0.0.1:0", &listener) == ERR_CONFIG;
}

static void test_stdin(void)
{
    CU_ASSERT_TRUE(in_child(child_stdin));
}

static void test_systemd(void)
{
    CU_ASSERT_TRUE(in_child(child_systemd));
    CU_ASSERT_TRUE(in_child(child_systemd_other));
    CU_ASSERT_TRUE(in_child(child_systemd_wrong));
}

static const struct suite_case cases[] = {
    {"a unix socket has its mode, answers, and is removed at the end", test_unix},
    {"a unix socket that is in use is left alone", test_unix_in_use},
    {"a unix socket that nobody answers is replaced", test_unix_stale},
    {"a file that is no socket is left alone", test_unix_file},
    {"a folder that is missing is told", test_unix_folder_missing},
    {"a TCP address is opened, and told when it is in use", test_tcp},
    {"an IPv6 address is opened", test_tcp6},
    {"addresses of no known form are refused", test_bad_addresses},
    {"a socket on descriptor 0 is inherited", test_stdin},
    {"a socket passed by systemd is inherited, and only by whom it is meant for", test_systemd},
};

int main(void)
{
    return suite_main("listen", cases, sizeof cases / sizeof cases[0]);
}
