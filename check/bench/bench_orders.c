#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "check/bench/bench_orders.h"
#include "check/harness/process.h"

enum { KNOWN_MS = 60000 };

struct round {
    struct system *system;
    pthread_barrier_t start;
    atomic_int next, placed;
};

static bool place(struct http_client *client)
{
    char key[ID_SIZE];
    http_with(client, "Idempotency-Key: %s", id_new(key));
    return http_send(client, "POST", "/v1/orders", "%s", BENCH_ORDER)->status == 201;
}

/* Not before order has heard of the item. */
static bool is_placed(void *client)
{
    return place(client);
}

enum err bench_orders_prepare(struct system *system)
{
    struct http_client *client = system_client(system);
    http_client_token(client, system_admin(system));
    int status = http_send(client, "PUT", "/v1/items/" BENCH_SKU,
                           "{\"name\":\"Bench\",\"price\":{\"amount_minor\":100,\"currency\":\"EUR\"}}")->status;
    http_client_token(client, system_customer(system));
    bool is_known = status == 201 && process_until(is_placed, client, KNOWN_MS);
    http_client_free(client);
    if (status != 201)
        return err_because(ERR_INTERNAL, "the item was answered %d", status);
    return is_known ? ERR_NONE : err_because(ERR_DEADLINE, "no order can be placed");
}

/* Each connection is open before the clock starts. */
static void *connection_main(void *argument)
{
    struct round *round = argument;
    struct http_client *client = system_client(round->system);
    http_client_token(client, system_customer(round->system));
    http_get(client, "/order/ping");
    pthread_barrier_wait(&round->start);
    while (atomic_fetch_add(&round->next, 1) < BENCH_ORDERS) {
        if (place(client))
            atomic_fetch_add(&round->placed, 1);
    }
    http_client_free(client);
    return NULL;
}

enum err bench_orders_round(struct system *system, double *ret_seconds)
{
    struct round round = {.system = system};
    pthread_t threads[BENCH_ORDER_CONNECTIONS];
    int started = 0;
    pthread_barrier_init(&round.start, NULL, BENCH_ORDER_CONNECTIONS + 1);
    while (started < BENCH_ORDER_CONNECTIONS &&
           pthread_create(&threads[started], NULL, connection_main, &round) == 0)
        started++;
    if (started < BENCH_ORDER_CONNECTIONS)
        return err_because(ERR_MEMORY, "only %d threads could be started", started);
    pthread_barrier_wait(&round.start);
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    int64_t took_ns = clock_now_ns() - start_ns;
    pthread_barrier_destroy(&round.start);
    if (round.placed != BENCH_ORDERS)
        return err_because(ERR_INTERNAL, "%d of %d orders were placed", round.placed, BENCH_ORDERS);
    *ret_seconds = (double)took_ns / NS_PER_S;
    return ERR_NONE;
}
