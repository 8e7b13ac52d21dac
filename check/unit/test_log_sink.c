/* Where lines end up: in files that are rotated, in the syslog; and what happens when a sink fails. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check/harness/suite.h"
#include "check/unit/scratch.h"
#include "telemetry/log.h"

#define LOG_MODULE LOG_MODULE_BASE

enum { WAIT_MS = 10000, OUTPUT_BYTES = 1 << 22, ROTATIONS = 20, THREADS = 3, PATH_SIZE = 256 };

static struct scratch scratch;
static char output[OUTPUT_BYTES], file[PATH_SIZE];

static void open_log(enum log_sink_kind kind, const char *path)
{
    struct log_opts opts = {.service = "order", .level = LOG_INFO, .sink = kind, .path = path,
                            .buffer_bytes = 1 << 20};
    CU_ASSERT_EQUAL_FATAL(log_open(&opts), ERR_NONE);
}

static const char *path_of(const char *name)
{
    snprintf(file, sizeof file, "%s", scratch_path(&scratch, name));
    return file;
}

/* Adds what a file has to the output. */
static size_t read_file(const char *path, size_t length)
{
    FILE *stream = fopen(path, "re");
    if (stream) {
        length += fread(output + length, 1, sizeof output - 1 - length, stream);
        fclose(stream);
    }
    output[length] = '\0';
    return length;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        count++;
    return count;
}

/* ---- files ---- */

static void test_file(void)
{
    struct stat status;
    scratch_init(&scratch);
    open_log(LOG_TO_FILE, path_of("a.log"));
    log_event(LOG_INFO, "first");
    log_close(WAIT_MS);
    open_log(LOG_TO_FILE, file);
    log_event(LOG_INFO, "second");
    log_close(WAIT_MS);
    read_file(file, 0);
    CU_ASSERT_EQUAL(count_of(output, "\n"), 2);
    CU_ASSERT(strstr(output, "\"first\"") < strstr(output, "\"second\""));
    CU_ASSERT_EQUAL(stat(file, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 0137, 0);
    scratch_fini(&scratch);
}

static atomic_bool stop;
static atomic_int logged;

static void *keep_logging(void *context)
{
    while (!atomic_load(&stop)) {
        log_event(LOG_INFO, "line", LOG_INT("n", atomic_fetch_add(&logged, 1)));
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
    return context;
}

static bool is_there(void *path)
{
    return access(path, F_OK) == 0;
}

/* As logrotate does it: renamed, then asked to open it anew, while lines keep coming. */
static void test_rotation(void)
{
    pthread_t threads[THREADS];
    struct log_stats stats;
    char old[PATH_SIZE + 16], wanted[32];
    size_t length = 0;
    scratch_init(&scratch);
    open_log(LOG_TO_FILE, path_of("rotated.log"));
    stop = false;
    logged = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, keep_logging, NULL);
    for (int i = 0; i < ROTATIONS; i++) {
        snprintf(old, sizeof old, "%s.%d", file, i);
        CU_ASSERT_EQUAL(rename(file, old), 0);
        log_reopen();
        CU_ASSERT_TRUE(scratch_eventually(is_there, file));
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_TRUE(log_flush(WAIT_MS));
    log_stats(&stats);
    log_close(WAIT_MS);
    for (int i = 0; i < ROTATIONS; i++) {
        snprintf(old, sizeof old, "%s.%d", file, i);
        length = read_file(old, length);
    }
    read_file(file, length);
    CU_ASSERT_EQUAL(stats.dropped, 0);
    CU_ASSERT_EQUAL(stats.written, (uint64_t)logged);
    CU_ASSERT_EQUAL(count_of(output, "\n"), (size_t)logged);
    for (int i = 0; i < logged; i++) {
        snprintf(wanted, sizeof wanted, "\"n\":%d}", i);
        CU_ASSERT_EQUAL(count_of(output, wanted), 1);
    }
    scratch_fini(&scratch);
}

static void test_reopen_fails(void)
{
    char folder[PATH_SIZE], away[PATH_SIZE + 8], path[PATH_SIZE + 16];
    scratch_init(&scratch);
    snprintf(folder, sizeof folder, "%s", scratch_path(&scratch, "folder"));
    snprintf(away, sizeof away, "%s.away", folder);
    snprintf(path, sizeof path, "%s/a.log", folder);
    CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0700), 0);
    open_log(LOG_TO_FILE, path);
    CU_ASSERT_EQUAL(rename(folder, away), 0);
    log_reopen();
    CU_ASSERT_TRUE(log_flush(WAIT_MS));
    log_event(LOG_INFO, "goes on");
    log_close(WAIT_MS);
    snprintf(path, sizeof path, "%s/a.log", away);
    read_file(path, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "the log's file cannot be opened anew"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "No such file"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\"goes on\""));
    scratch_fini(&scratch);
}

static void test_cannot_open(void)
{
    char path[PATH_SIZE];
    struct log_opts opts = {.level = LOG_INFO, .path = path};
    scratch_init(&scratch);
    snprintf(path, sizeof path, "%s", scratch_path(&scratch, "missing/a"));
    opts.sink = LOG_TO_FILE;
    CU_ASSERT_EQUAL(log_open(&opts), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "missing/a: No such file"));
    opts.sink = LOG_TO_SYSLOG;
    CU_ASSERT_EQUAL(log_open(&opts), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "missing/a: No such file"));
    snprintf(path, sizeof path, "%s", scratch_path(&scratch, "pipe"));
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    opts.sink = LOG_TO_FILE;
    CU_ASSERT_EQUAL(log_open(&opts), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "a pipe without a reader"));
    scratch_fini(&scratch);
}

/* ---- a pipe that nobody reads ---- */

static size_t read_all(int fd, size_t length)
{
    ssize_t got;
    while ((got = read(fd, output + length, sizeof output - 1 - length)) > 0)
        length += (size_t)got;
    output[length] = '\0';
    return length;
}

/* Every line is either written or counted as dropped, to the last one. */
static void test_nobody_reads(void)
{
    enum { LINES = 5000 };
    struct log_opts opts = {.level = LOG_INFO, .sink = LOG_TO_FILE, .buffer_bytes = 4096};
    struct log_stats stats = {0, 0};
    size_t length = 0;
    scratch_init(&scratch);
    opts.path = path_of("pipe");
    CU_ASSERT_EQUAL_FATAL(mkfifo(file, 0600), 0);
    int reader = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(log_open(&opts), ERR_NONE);
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "line", LOG_INT("n", i));
    log_stats(&stats);
    CU_ASSERT(stats.dropped > 0);
    while (stats.written + stats.dropped < LINES) {
        length = read_all(reader, length);
        log_stats(&stats);
    }
    CU_ASSERT_EQUAL(stats.written + stats.dropped, LINES);
    log_close(WAIT_MS);
    read_all(reader, length);
    CU_ASSERT_EQUAL(count_of(output, "\"msg\":\"line\""), LINES - stats.dropped);
    close(reader);
    scratch_fini(&scratch);
}

/* ---- the syslog ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    const struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static const char *receive(int fd)
{
    ssize_t got = recv(fd, output, sizeof output - 1, 0);
    output[got > 0 ? got : 0] = '\0';
    return output;
}

static void test_syslog(void)
{
    static const struct {
        enum log_level level;
        const char *priority;      /* RFC 5424: facility daemon, 3, times 8, and the severity */
    } rows[] = {{LOG_INFO, "<30>"}, {LOG_WARNING, "<28>"}, {LOG_ERROR, "<27>"}, {LOG_CRITICAL, "<26>"}};
    char tag[64];
    scratch_init(&scratch);
    int listener = listen_at(path_of("log"));
    open_log(LOG_TO_SYSLOG, file);
    snprintf(tag, sizeof tag, " tandem-order[%ld]: {\"time\":\"", (long)getpid());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        log_event(rows[i].level, "line", LOG_TEXT("input", TEXT("a\n<0>forged")));
        const char *line = receive(listener);
        CU_ASSERT_EQUAL(strncmp(line, rows[i].priority, 4), 0);
        CU_ASSERT_EQUAL(strspn(line + 4, "ADFJMNOSabceghlnoprtuvy"), 3);
        CU_ASSERT_PTR_EQUAL(strstr(line, tag), line + 4 + 15);
        CU_ASSERT_PTR_NULL(strchr(line, '\n'));
        CU_ASSERT_EQUAL(line[strlen(line) - 1], '}');
    }
    log_close(WAIT_MS);
    close(listener);
    scratch_fini(&scratch);
}

static void test_syslog_again(void)
{
    struct log_stats stats;
    scratch_init(&scratch);
    int listener = listen_at(path_of("log"));
    open_log(LOG_TO_SYSLOG, file);
    close(listener);
    log_event(LOG_ERROR, "to nobody");
    CU_ASSERT_TRUE(log_flush(WAIT_MS));
    log_stats(&stats);
    CU_ASSERT_EQUAL(stats.dropped, 1);
    listener = listen_at(file);
    log_event(LOG_ERROR, "back");
    bool found = false;
    for (int i = 0; i < 3 && !found; i++)
        found = strstr(receive(listener), "\"back\"");
    CU_ASSERT_TRUE(found);
    log_close(WAIT_MS);
    close(listener);
    scratch_fini(&scratch);
}

/* ---- a terminal ---- */

static const char *on_terminal(const char *no_colour)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CU_ASSERT_FATAL(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct log_opts opts = {.service = "order", .level = LOG_INFO, .format = LOG_TERMINAL, .fd = end};
    setenv("NO_COLOR", no_colour, 1);
    CU_ASSERT_EQUAL_FATAL(log_open(&opts), ERR_NONE);
    log_event(LOG_WARNING, "careful", LOG_TEXT("input", TEXT("\033[31mred")));
    log_close(WAIT_MS);
    unsetenv("NO_COLOR");
    ssize_t got = read(terminal, output, sizeof output - 1);
    output[got > 0 ? got : 0] = '\0';
    close(end);
    close(terminal);
    return output;
}

static void test_colour(void)
{
    if (!suite_has_terminals())
        return;
    CU_ASSERT_PTR_NOT_NULL(strstr(on_terminal(""), "Z \033[33mwarning \033[0m order     careful"));
    CU_ASSERT_PTR_NULL(strstr(output, "\033[31m"));
    CU_ASSERT_PTR_NOT_NULL(strstr(on_terminal("1"), "Z warning  order     careful"));
    CU_ASSERT_PTR_NULL(strchr(output, '\033'));
}

/* ---- secrets ---- */

static void test_secrets(void)
{
    scratch_init(&scratch);
    open_log(LOG_TO_FILE, path_of("json.log"));
    log_event(LOG_ERROR, "sign-in failed", LOG_SECRET("password"));
    log_close(WAIT_MS);
    size_t length = read_file(file, 0);
    struct log_opts opts = {.level = LOG_INFO, .format = LOG_TERMINAL, .sink = LOG_TO_FILE,
                            .path = path_of("text.log")};
    CU_ASSERT_EQUAL_FATAL(log_open(&opts), ERR_NONE);
    log_event(LOG_ERROR, "sign-in failed", LOG_SECRET("password"));
    log_close(WAIT_MS);
    length = read_file(file, length);
    int listener = listen_at(path_of("log"));
    open_log(LOG_TO_SYSLOG, file);
    log_event(LOG_ERROR, "sign-in failed", LOG_SECRET("password"));
    ssize_t got = recv(listener, output + length, sizeof output - 1 - length, 0);
    output[length + (got > 0 ? (size_t)got : 0)] = '\0';
    CU_ASSERT_EQUAL(count_of(output, "[redacted]"), 3);
    log_close(WAIT_MS);
    close(listener);
    scratch_fini(&scratch);
}

static const struct suite_case cases[] = {
    {"a file is added to, and is not everybody's", test_file},
    {"a rotation loses no line", test_rotation},
    {"what cannot be opened anew is told, and the old file kept", test_reopen_fails},
    {"a sink that cannot be had is an error with its path", test_cannot_open},
    {"of a pipe that nobody reads every line is accounted for", test_nobody_reads},
    {"the syslog gets a datagram a line, with its severity", test_syslog},
    {"a syslog that was started anew is found again", test_syslog_again},
    {"a terminal has colours, unless NO_COLOR is set", test_colour},
    {"a secret is redacted in every sink and format", test_secrets},
};

int main(void)
{
    return suite_main("log_sink", cases, sizeof cases / sizeof cases[0]);
}
