/* A link to a server of the test's own, on a unix socket: what is sent, and what of an answer is taken for one. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cache/redis_link.h"
#include "cache/redis_map.h"
#include "cache/redis_replies.h"
#include "cache/redis_slot.h"
#include "check/harness/process.h"
#include "check/harness/suite.h"

enum { SHORT_MS = 50, LONG_MS = 5000, SLACK_MS = 60 };

static struct redis_address address;
static struct redis_link *sut;
static int listener, peer;

static int64_t deadline(unsigned ms)
{
    return clock_now_ns() + ms * NS_PER_MS;
}

static void begin(void)
{
    CU_ASSERT_EQUAL_FATAL(redis_link_open(&address, NULL, deadline(LONG_MS), &sut), ERR_NONE);
    peer = accept(listener, NULL, NULL);
    CU_ASSERT_FATAL(peer >= 0);
}

static void end(void)
{
    redis_link_close(sut);
    close(peer);
}

static void say(const char *bytes)
{
    CU_ASSERT_EQUAL(write(peer, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

static void test_sent(void)
{
    static const char expected[] = "*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n";
    char bytes[128];
    struct redis_command command = {.count = 0}, other;
    begin();
    redis_word(&command, TEXT("GET"));
    other = command;
    redis_word(&command, TEXT("a\r\nb"));
    redis_word(&other, TEXT(""));
    redis_link_add(sut, &command);
    redis_link_add(sut, &other);
    CU_ASSERT_EQUAL(redis_link_send(sut, deadline(LONG_MS)), ERR_NONE);
    ssize_t length = read(peer, bytes, sizeof bytes);
    CU_ASSERT_EQUAL(length, (ssize_t)sizeof expected - 1);
    CU_ASSERT_EQUAL(memcmp(bytes, expected, sizeof expected - 1), 0);
    end();
}

/* ---- limits of time ---- */

static int64_t take_unwhole(void)
{
    redisReply *reply;
    begin();
    say("$10\r\nabc");
    int64_t began_ns = clock_now_ns();
    CU_ASSERT_EQUAL(redis_link_read(sut, deadline(SHORT_MS), &reply), ERR_DEADLINE);
    int64_t took_ns = clock_now_ns() - began_ns;
    end();
    return took_ns;
}

static void test_unwhole(void)
{
    CU_ASSERT(suite_is_prompt(take_unwhole, SHORT_MS + SLACK_MS));
}

/* Until no socket takes any more. */
static int64_t take_unread(void)
{
    static char bytes[8 * 1024 * 1024];
    struct redis_command command = {.count = 0};
    begin();
    redis_word(&command, (struct text){bytes, sizeof bytes});
    redis_link_add(sut, &command);
    int64_t began_ns = clock_now_ns();
    CU_ASSERT_EQUAL(redis_link_send(sut, deadline(SHORT_MS)), ERR_DEADLINE);
    int64_t took_ns = clock_now_ns() - began_ns;
    end();
    return took_ns;
}

static void test_unread(void)
{
    CU_ASSERT(suite_is_prompt(take_unread, SHORT_MS + SLACK_MS));
}

static void test_too_much(void)
{
    static char bytes[REDIS_SENT_MAX];
    struct redis_command command = {.count = 0};
    begin();
    redis_word(&command, (struct text){bytes, sizeof bytes});
    redis_link_add(sut, &command);
    CU_ASSERT_EQUAL(redis_link_send(sut, deadline(SHORT_MS)), ERR_MEMORY);
    end();
}

/* ---- the end of a link ---- */

static enum err read_after(const char *bytes)
{
    redisReply *reply;
    begin();
    say(bytes);
    close(peer);
    enum err err = redis_link_read(sut, deadline(LONG_MS), &reply);
    if (!err)
        freeReplyObject(reply);
    redis_link_close(sut);
    return err;
}

static void test_closed(void)
{
    CU_ASSERT_EQUAL(read_after(":1\r\n"), ERR_NONE);
    CU_ASSERT_EQUAL(read_after(""), ERR_CLOSED);
    CU_ASSERT_EQUAL(read_after("+PO"), ERR_UNAVAILABLE);
}

static void test_unasked(void)
{
    redisReply *reply;
    begin();
    say(":1\r\n:2\r\n");
    CU_ASSERT_EQUAL_FATAL(redis_link_read(sut, deadline(LONG_MS), &reply), ERR_NONE);
    freeReplyObject(reply);
    CU_ASSERT_FALSE(redis_link_is_quiet(sut));
    CU_ASSERT_EQUAL_FATAL(redis_link_read(sut, deadline(LONG_MS), &reply), ERR_NONE);
    CU_ASSERT_EQUAL(reply->integer, 2);
    freeReplyObject(reply);
    CU_ASSERT(redis_link_is_quiet(sut));
    end();
}

/* ---- replies ---- */

/* What is said of the bytes when they come one by one. */
static enum err take_slowly(const char *bytes, redisReply **ret)
{
    struct redis_replies *replies;
    enum err err = ERR_AGAIN;
    CU_ASSERT_EQUAL_FATAL(redis_replies_new(&replies), ERR_NONE);
    for (const char *at = bytes; *at && err == ERR_AGAIN; at++) {
        CU_ASSERT_EQUAL(redis_replies_feed(replies, (struct text){at, 1}), ERR_NONE);
        err = redis_replies_take(replies, ret);
    }
    redis_replies_free(replies);
    return err;
}

static void test_pieces(void)
{
    redisReply *reply;
    CU_ASSERT_EQUAL_FATAL(take_slowly("*3\r\n$3\r\na\r\n\r\n:-5\r\n*1\r\n$-1\r\n", &reply), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(reply->elements, 3);
    CU_ASSERT(text_equal_string(redis_text(reply->element[0]), "a\r\n"));
    CU_ASSERT_EQUAL(reply->element[1]->integer, -5);
    CU_ASSERT_EQUAL(reply->element[2]->element[0]->type, REDIS_REPLY_NIL);
    freeReplyObject(reply);
}

static void test_refused(void)
{
    static const char *const others[] = {"HTTP/1.1 200 OK\r\n", "\x15\x03\x03", "*16385\r\n", "*2147483647\r\n",
                                         "*99999999999999999999\r\n", "*-2\r\n", "$-2\r\n", ":12a\r\n"};
    static const char deep[] = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n";
    redisReply *reply;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CU_ASSERT_EQUAL(take_slowly(others[i], &reply), ERR_PROTOCOL);
        printf("# %s\n", err_cause());
    }
    CU_ASSERT_EQUAL(take_slowly(deep, &reply), ERR_PROTOCOL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "depth"));
}

static void test_large(void)
{
    static char bytes[REDIS_REPLY_MAX / 8];
    struct redis_replies *replies;
    redisReply *reply;
    unsigned taken = 0;
    CU_ASSERT_EQUAL_FATAL(redis_replies_new(&replies), ERR_NONE);
    CU_ASSERT_EQUAL(redis_replies_feed(replies, TEXT("$2000000000\r\n")), ERR_NONE);
    while (redis_replies_take(replies, &reply) == ERR_AGAIN &&
           redis_replies_feed(replies, (struct text){bytes, sizeof bytes}) == ERR_NONE)
        taken++;
    CU_ASSERT_EQUAL(taken, 7);
    CU_ASSERT_PTR_NOT_NULL(strstr(err_cause(), "a reply of more than"));
    redis_replies_free(replies);
}

/* ---- the map, told by a server that means no good ---- */

static void *answer(void *context)
{
    int fd = accept(listener, NULL, NULL);
    char bytes[256];
    if (read(fd, bytes, sizeof bytes) > 0 && write(fd, context, strlen(context)) > 0)
        while (read(fd, bytes, sizeof bytes) > 0)
            continue;
    close(fd);
    return NULL;
}

static void hold_map(const char *told)
{
    const struct redis_node_opts opts = {.user = "", .password_file = "", .timeout_ms = LONG_MS, .connections_max = 1};
    struct redis_map *map;
    pthread_t thread;
    char url[REDIS_HOST_SIZE + 16];
    snprintf(url, sizeof url, "redis+unix:%s", address.host);
    CU_ASSERT_EQUAL_FATAL(redis_map_new(url, &opts, &map), ERR_NONE);
    pthread_create(&thread, NULL, answer, (void *)(uintptr_t)told);
    enum err err = redis_map_refresh(map);
    CU_ASSERT(err == ERR_NONE || err == ERR_UNAVAILABLE);
    for (unsigned slot = 0; slot < REDIS_SLOTS; slot++)
        CU_ASSERT_STRING_EQUAL(redis_node_address(redis_map_node(map, slot, false))->host, address.host);
    redis_map_free(map);
    pthread_join(thread, NULL);
}

static void test_map(void)
{
    static const char *const slots[] = {
        "*0\r\n", ":1\r\n", "*1\r\n:1\r\n", "*1\r\n*0\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n*0\r\n",
        "*1\r\n*3\r\n:-9223372036854775808\r\n:9223372036854775807\r\n*2\r\n$1\r\nh\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:1\r\n", "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:65536\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n$1\r\n1\r\n", "*0\r\n*0\r\n"};
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        hold_map(slots[i]);
}

static const struct suite_case cases[] = {
    {"commands are sent as RESP has them", test_sent},
    {"a reply that is never whole is waited for until the deadline", test_unwhole},
    {"a server that reads nothing is waited for until the deadline", test_unread},
    {"commands that are too large are not sent", test_too_much},
    {"a link that was closed between replies is told from one that broke in a reply", test_closed},
    {"what a server says unasked is noticed", test_unasked},
    {"a reply is read in whatever pieces it comes", test_pieces},
    {"what is no reply, or beyond a limit, is refused", test_refused},
    {"no more of a reply is taken than it may have", test_large},
    {"slots that cannot be are not learnt", test_map},
};

int main(void)
{
    struct sockaddr_un bound = {.sun_family = AF_UNIX};
    char *folder = process_folder();
    snprintf(address.host, sizeof address.host, "%s/socket", folder ? folder : "");
    snprintf(bound.sun_path, sizeof bound.sun_path, "%.100s", address.host);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (!folder || bind(listener, (struct sockaddr *)&bound, sizeof bound) < 0 || listen(listener, 8) < 0) {
        printf("Bail out! there is no socket to listen on\n");
        return EXIT_FAILURE;
    }
    int status = suite_main("redis_link", cases, sizeof cases / sizeof cases[0]);
    close(listener);
    free(folder);
    return status;
}
