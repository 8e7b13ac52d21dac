/* Many at once, and trouble in the middle: nothing is oversold, nothing that was acknowledged is lost, nobody waits. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "check/harness/process.h"
#include "check/service/crowd.h"
#include "check/service/steps.h"
#include "check/service/variants.h"

enum { HEADER_TIMEOUT_MS = 3000 };

static const char *const settings[] = {"server.header_timeout_ms=3000", NULL};

/* ---- a sale: more orders than pieces ---- */

enum { SALE_ORDERS = 1000, SALE_CLIENTS = 32, SALE_PIECES = 100 };

struct sale {
    char sku[STEP_ID_SIZE], *token;
    unsigned placed;
};

static void make_order(unsigned number, struct crowd_request *request, void *context)
{
    const struct sale *sale = context;
    request->method = "POST";
    request->token = sale->token;
    snprintf(request->path, sizeof request->path, "/v1/orders");
    snprintf(request->key, sizeof request->key, "%s-%u", sale->sku, number);
    snprintf(request->body, sizeof request->body, "{\"lines\":[{\"sku\":\"%s\",\"quantity\":1}]}", sale->sku);
}

static void count_order(unsigned number, int status, const char *body, void *context)
{
    struct sale *sale = context;
    (void)number;
    (void)body;
    sale->placed += status == 201;
}

/* How many of the client's orders have this status, page by page. */
static int count_status(struct http_client *client, const char *status)
{
    char path[512];
    int count = 0;
    snprintf(path, sizeof path, "/v1/orders?status=%s&limit=100", status);
    while (*path) {
        struct http_answer *answer = http_get(client, path);
        int rows = http_json_length(answer, "/items");
        if (rows < 0)
            return -1;
        count += rows;
        const char *cursor = http_json_text(answer, "/next_cursor");
        if (!*cursor)
            return count;
        snprintf(path, sizeof path, "/v1/orders?status=%s&limit=100&cursor=%s", status, cursor);
    }
    return count;
}

static bool none_is_open(void *client)
{
    return count_status(client, "placed") == 0 && count_status(client, "reserved") == 0;
}

static struct http_client *client_of(const char *token)
{
    struct http_client *client = variant_anonymous();
    http_client_token(client, token);
    return client;
}

static void test_sale(void)
{
    struct sale sale = {.token = system_new_customer(variant_system(), NULL)};
    struct crowd crowd = {system_url(variant_system()), SALE_CLIENTS, SALE_ORDERS, &sale, make_order, count_order,
                          NULL};
    step_item(SALE_PIECES, sale.sku);
    CU_ASSERT_EQUAL(crowd_run(&crowd), 0);
    CU_ASSERT_EQUAL(sale.placed, SALE_ORDERS);
    struct http_client *client = client_of(sale.token);
    CU_ASSERT(process_until(none_is_open, client, 60000));
    CU_ASSERT_EQUAL(count_status(client, "paid"), SALE_PIECES);
    CU_ASSERT_EQUAL(count_status(client, "rejected"), SALE_ORDERS - SALE_PIECES);
    step_await_stock(sale.sku, 0, 0);
    free(sale.token);
}

/* ---- a service that goes away in the middle ---- */

enum { RESTART_ORDERS = 400 };

struct restart {
    struct sale sale;
    enum system_service service;
    bool killed;
    unsigned answered;
    char (*ids)[STEP_ID_SIZE];        /* by number; "" for what was not acknowledged */
};

static void restart_service(const struct restart *restart)
{
    struct system *system = variant_system();
    if (restart->killed)
        system_service_killed(system, restart->service);
    else
        CU_ASSERT_EQUAL(system_service_down(system, restart->service), ERR_NONE);
    CU_ASSERT_EQUAL(system_service_up(system, restart->service), ERR_NONE);
}

static void make_restart_order(unsigned number, struct crowd_request *request, void *context)
{
    struct restart *restart = context;
    make_order(number, request, &restart->sale);
}

static void note_order(unsigned number, int status, const char *body, void *context)
{
    struct restart *restart = context;
    const char *id = strstr(body, "\"id\":\"");
    if (status == 201 && id)
        sscanf(id, "\"id\":\"%63[^\"]\"", restart->ids[number]);
    if (++restart->answered == RESTART_ORDERS / 2)
        restart_service(restart);
}

/* Those that were not acknowledged are sent again with their keys, as clients do. */
static void send_again(struct restart *restart, struct http_client *client)
{
    for (unsigned i = 0; i < RESTART_ORDERS; i++) {
        struct crowd_request request = {.method = NULL};
        if (*restart->ids[i])
            continue;
        make_order(i, &request, &restart->sale);
        http_with(client, "Idempotency-Key: %s", request.key);
        struct http_answer *answer = http_send(client, "POST", request.path, "%s", request.body);
        EXPECT_STATUS(answer, 201);
        snprintf(restart->ids[i], STEP_ID_SIZE, "%s", http_json_text(answer, "/id"));
    }
}

static void check_restart(enum system_service service, bool killed)
{
    struct restart restart = {.service = service, .killed = killed};
    restart.ids = calloc(RESTART_ORDERS, sizeof restart.ids[0]);
    restart.sale.token = system_new_customer(variant_system(), NULL);
    struct crowd crowd = {system_url(variant_system()), 16, RESTART_ORDERS, &restart, make_restart_order, note_order,
                          NULL};
    step_item(RESTART_ORDERS, restart.sale.sku);
    crowd_run(&crowd);
    struct http_client *client = client_of(restart.sale.token);
    send_again(&restart, client);
    CU_ASSERT(process_until(none_is_open, client, 60000));
    CU_ASSERT_EQUAL(count_status(client, "paid"), RESTART_ORDERS);
    for (unsigned i = 0; i < RESTART_ORDERS; i++) {
        char path[128];
        snprintf(path, sizeof path, "/v1/orders/%s", restart.ids[i]);
        if (http_get(client, path)->status != 200)
            CU_FAIL("an acknowledged order is lost");
    }
    step_await_stock(restart.sale.sku, 0, 0);
    free(restart.sale.token);
    free(restart.ids);
}

static void test_order_restarts(void) { check_restart(SYSTEM_ORDER, false); }
static void test_order_killed(void) { check_restart(SYSTEM_ORDER, true); }
static void test_inventory_killed(void) { check_restart(SYSTEM_INVENTORY, true); }

/* ---- many kept connections ---- */

enum { KEPT = 1000, ROUNDS = 3 };

static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096) {
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int connect_front(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((in_port_t)system_port(variant_system()))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Reads what is there; whether the answer's last bytes have come. */
static bool read_pong(int fd)
{
    char bytes[2048];
    ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return length >= 5 && memcmp(bytes + length - 5, "pong\n", 5) == 0;
}

/* One request on each connection at once; how many were not answered in time. */
static unsigned ask_all(struct pollfd *peers)
{
    static const char request[] = "GET /user/ping HTTP/1.1\r\nHost: tandem\r\n\r\n";
    int64_t deadline_ns = clock_now_ns() + 20 * NS_PER_S;
    unsigned open = 0;
    for (unsigned i = 0; i < KEPT; i++) {
        peers[i].events = POLLIN;
        if (send(peers[i].fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1)
            open++;
        else
            peers[i].events = 0;
    }
    unsigned unanswered = KEPT - open;
    while (open > 0 && clock_now_ns() < deadline_ns) {
        poll(peers, KEPT, 100);
        for (unsigned i = 0; i < KEPT; i++) {
            if (peers[i].events && (peers[i].revents & POLLIN) && read_pong(peers[i].fd)) {
                peers[i].events = 0;
                open--;
            }
        }
    }
    return unanswered + open;
}

static void test_kept(void)
{
    struct pollfd *peers = calloc(KEPT, sizeof *peers);
    allow_many_files();
    for (unsigned i = 0; i < KEPT; i++)
        peers[i].fd = connect_front();
    for (int round = 0; round < ROUNDS; round++)
        CU_ASSERT_EQUAL(ask_all(peers), 0);
    for (unsigned i = 0; i < KEPT; i++)
        close(peers[i].fd);
    free(peers);
}

/* ---- peers that send half a header and stop ---- */

enum { HALF_PEERS = 64, PINGS = 200, DELAY_MAX_MS = 50, TRIES = 3 };

static int connect_half(void)
{
    static const char half[4] = {1, 1, 0, 1};   /* FCGI_BEGIN_REQUEST, up to the length */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", system_socket(variant_system(), SYSTEM_USER));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || send(fd, half, sizeof half, MSG_NOSIGNAL) < 0)
        CU_FAIL("no connection to the service");
    return fd;
}

static void connect_halves(int fds[static HALF_PEERS])
{
    for (int i = 0; i < HALF_PEERS; i++)
        fds[i] = connect_half();
}

static void close_halves(const int fds[static HALF_PEERS])
{
    for (int i = 0; i < HALF_PEERS; i++)
        close(fds[i]);
}

static double worst_ping_ms(struct http_client *client)
{
    int64_t worst_ns = 0;
    for (int i = 0; i < PINGS; i++) {
        struct http_answer *answer = http_get(client, "/user/ping");
        if (answer->status != 200)
            CU_FAIL("a ping was not answered");
        if (answer->took_ns > worst_ns)
            worst_ns = answer->took_ns;
    }
    return (double)worst_ns / (double)NS_PER_MS;
}

static bool all_closed(void *context)
{
    const int *fds = context;
    char byte;
    for (int i = 0; i < HALF_PEERS; i++)
        if (recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
    return true;
}

/* On a machine that does other things as well, one request may wait for those; three tries in a row do not. */
static void test_half_delay(void)
{
    struct http_client *client = variant_anonymous();
    double delay_ms = 0, limit_ms = system_is_slow() ? 10 * DELAY_MAX_MS : DELAY_MAX_MS;
    for (int try = 0; try < TRIES; try++) {
        int fds[HALF_PEERS];
        double before_ms = worst_ping_ms(client);
        connect_halves(fds);
        delay_ms = worst_ping_ms(client) - before_ms;
        close_halves(fds);
        if (delay_ms <= limit_ms)
            break;
    }
    CU_ASSERT(delay_ms <= limit_ms);
}

static void test_half_closed(void)
{
    int fds[HALF_PEERS];
    int64_t started_ns = clock_now_ns();
    connect_halves(fds);
    CU_ASSERT(process_until(all_closed, fds, 2 * HEADER_TIMEOUT_MS));
    CU_ASSERT(clock_now_ns() - started_ns > HEADER_TIMEOUT_MS * NS_PER_MS / 2);   /* not at once, either */
    close_halves(fds);
    EXPECT_STATUS(http_get(variant_anonymous(), "/user/ping"), 200);
}

static const struct suite_case cases[] = {
    {"1000 orders for 100 pieces: 100 are paid and 900 rejected", test_sale},
    {"order restarts in the middle and loses no order", test_order_restarts},
    {"order is killed in the middle and loses no order", test_order_killed},
    {"inventory is killed in the middle and no order is lost", test_inventory_killed},
    {"1000 kept connections are all answered", test_kept},
    {"64 peers with half a header delay nobody", test_half_delay},
    {"64 peers with half a header are closed at their deadline", test_half_closed},
};

int main(void)
{
    allow_many_files();
    return variants_main("load", cases, sizeof cases / sizeof cases[0], settings);
}
