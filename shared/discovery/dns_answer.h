/*
 * Questions to the DNS (RFC 1035), SRV records (RFC 2782) among them, and what an answer says. Pure functions: what is
 * sent and received is the caller's business.
 */
#ifndef TANDEM_DISCOVERY_DNS_ANSWER_H
#define TANDEM_DISCOVERY_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { DNS_NAME_SIZE = 256, DNS_MESSAGE_SIZE = 65535, DNS_RECORDS_MAX = 512 };

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 };

struct dns_record {
    enum dns_type type;
    uint32_t lifetime_s;
    char address[46];                  /* A, AAAA: as text */
    char target[DNS_NAME_SIZE];        /* SRV: a host name, whose addresses are to be asked for */
    unsigned priority, weight, port;   /* SRV */
};

/**
 * Reads the records of this type. ERR_NOT_FOUND when there is no such name, or none of that type; ERR_UNAVAILABLE when
 * the server could not tell; ERR_PROTOCOL for what is no answer. Names that are aliases (CNAME) were followed by the
 * server.
 */
enum err must_check dns_read(const uint8_t *message, size_t length, enum dns_type type, struct dns_record *ret_records,
                             size_t *ret_count);

#endif
