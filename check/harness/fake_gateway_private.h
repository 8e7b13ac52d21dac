/*
 * What the files of the fake gateway share.
 */
#ifndef TANDEM_CHECK_HARNESS_FAKE_GATEWAY_PRIVATE_H
#define TANDEM_CHECK_HARNESS_FAKE_GATEWAY_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "check/harness/fake_gateway.h"

enum { GATEWAY_FAULTS_MAX = 64 };

struct ordered {
    enum gateway_operation operation;
    enum gateway_fault fault;
    unsigned times;
};

struct fake_gateway {
    struct fake_service *service;
    pthread_mutex_t lock;              /* guards all below */
    pthread_cond_t changed;
    sqlite3 *db;
    struct ordered faults[GATEWAY_FAULTS_MAX];
    unsigned fault_count, storm_percent, retry_after_s;
    uint64_t storm_state;
    unsigned asked[GATEWAY_OPERATIONS], misread, held;
    bool released, hidden, stopping;
};

#endif
