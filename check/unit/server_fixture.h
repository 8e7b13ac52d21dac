/*
 * A server in this process, on either transport, with a handler for each behaviour that its tests ask for:
 *
 *     /ping     "pong"                          /echo     the request's body, and X-Body: absent|present
 *     /bytes?N  N bytes of a known pattern      /thread   "pong", finished by another thread
 *     /hold     kept until fixture_release()    /silent   finished without a status
 *     /none     204                             /lane     the number of its lane
 *     /flood    more than the response ceiling  /count    the number of parameters
 *     /gate     "pong", once the gate is open; until then its lane is blocked
 */
#ifndef TANDEM_CHECK_UNIT_SERVER_FIXTURE_H
#define TANDEM_CHECK_UNIT_SERVER_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "check/harness/fcgi_client.h"
#include "check/harness/suite.h"
#include "net/listen.h"
#include "net/server.h"

struct fixture {
    struct listener listener;
    struct server *server;
    char folder[64], address[96];
};

/* Polls until it holds, ten seconds at most; the value says whether it did, at the moment it was last asked. */
#define EVENTUALLY(condition)                                                                                          \
    ({                                                                                                                 \
        int64_t until_ns_ = clock_now_ns() + 10 * NS_PER_S;                                                            \
        bool holds_;                                                                                                   \
        while (!(holds_ = (condition)) && clock_now_ns() < until_ns_)                                                  \
            fixture_breathe();                                                                                         \
        holds_;                                                                                                        \
    })

/** Options that let everything through: 2 lanes, limits far away, deadlines of 10 s. */
struct server_opts fixture_opts(void);

/** Ends the program when the server cannot be started. */
void fixture_open(struct fixture *fixture, const struct server_opts *opts);
void fixture_close(struct fixture *fixture);

/** Fills a client connected to the server. */
void fixture_client(const struct fixture *fixture, struct fcgi_client *client);

/** Sends a GET on a connection and says whether the reply is 200 "pong". */
bool fixture_ping(struct fcgi_client *client, const char *uri, bool keep);

/** A GET that is answered on a connection of its own with 200 "pong". */
bool fixture_serves(const struct fixture *fixture);

struct server_stats fixture_stats(const struct fixture *fixture);

/** How many exchanges /hold keeps, and how many of them are abandoned. */
unsigned fixture_held(void);
unsigned fixture_held_abandoned(void);

/** Finishes what /hold keeps, with "pong". */
void fixture_release(void);

/** Shuts the gate of /gate, and opens it; the same thread. */
void fixture_gate(bool shut);

/** How many exchanges have been dispatched since fixture_open(). */
unsigned fixture_dispatched(void);

/** Whether bytes are what /bytes sends. */
bool fixture_pattern(struct text bytes);

/** Lets other threads run for a moment. */
void fixture_breathe(void);

/** The transport under test, and the cases of each file. */
extern const char *fixture_transport;

int server_cases_run(const char *transport, const char *const *not_applying);

extern const struct suite_case server_request_cases[], server_record_cases[], server_limit_cases[], server_time_cases[],
    server_load_cases[];
extern const size_t server_request_count, server_record_count, server_limit_count, server_time_count, server_load_count;

#endif
