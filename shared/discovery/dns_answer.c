#include "config.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

#include "discovery/dns_answer.h"

enum { SRV_FIXED_BYTES = 6, A_BYTES = 4, AAAA_BYTES = 16 };

/* False for one that is not as its type has to be. */
static bool read_data(ns_msg *answer, const ns_rr *record, struct dns_record *ret)
{
    const unsigned char *data = ns_rr_rdata(*record);
    size_t length = ns_rr_rdlen(*record);
    switch (ret->type) {
    case DNS_A:
        return length == A_BYTES && inet_ntop(AF_INET, data, ret->address, sizeof ret->address);
    case DNS_AAAA:
        return length == AAAA_BYTES && inet_ntop(AF_INET6, data, ret->address, sizeof ret->address);
    case DNS_SRV:
        if (length <= SRV_FIXED_BYTES)
            return false;
        ret->priority = ns_get16(data);
        ret->weight = ns_get16(data + 2);
        ret->port = ns_get16(data + 4);
        return ns_name_uncompress(ns_msg_base(*answer), ns_msg_end(*answer), data + SRV_FIXED_BYTES, ret->target,
                                  sizeof ret->target) >= 0;
    }
    return false;
}

static enum err read_code(ns_msg *answer)
{
    int code = ns_msg_getflag(*answer, ns_f_rcode);
    if (code == ns_r_nxdomain)
        return err_because(ERR_NOT_FOUND, "there is no such name");
    return code == ns_r_noerror ? ERR_NONE : err_because(ERR_UNAVAILABLE, "the DNS server answers with code %d", code);
}

enum err dns_read(const uint8_t *message, size_t length, enum dns_type type, struct dns_record *ret_records,
                  size_t *ret_count)
{
    ns_msg answer;
    ns_rr record;
    size_t count = 0;
    if (length > DNS_MESSAGE_SIZE || ns_initparse(message, (int)length, &answer) < 0)
        return err_because(ERR_PROTOCOL, "the DNS server's answer is none");
    enum err err = read_code(&answer);
    if (err)
        return err;
    for (int i = 0; i < ns_msg_count(answer, ns_s_an) && count < DNS_RECORDS_MAX; i++) {
        if (ns_parserr(&answer, ns_s_an, i, &record) < 0)
            return err_because(ERR_PROTOCOL, "the DNS server's answer is cut off");
        struct dns_record *read = &ret_records[count];
        memset(read, 0, sizeof *read);
        read->type = type;
        read->lifetime_s = ns_rr_ttl(record);
        if ((int)ns_rr_type(record) == (int)type && ns_rr_class(record) == ns_c_in && read_data(&answer, &record, read))
            count++;
    }
    if (count == 0)
        return err_because(ERR_NOT_FOUND, "there are no such records");
    *ret_count = count;
    return ERR_NONE;
}
