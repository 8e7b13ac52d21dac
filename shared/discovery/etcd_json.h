/*
 * What etcd's JSON gateway says and is told (etcd 3.4, api/v3: rpc.proto by grpc-gateway): keys and values are base64,
 * numbers of 64 bits are strings. Pure functions.
 */
#ifndef TANDEM_DISCOVERY_ETCD_JSON_H
#define TANDEM_DISCOVERY_ETCD_JSON_H

#include "base/buf.h"
#include "base/json_write.h"
#include "discovery/discovery_driver.h"

/** A member with base64 of the bytes. */
void etcd_write_bytes(struct json_writer *writer, const char *key, struct text bytes);

/** The record of an instance, as JSON. */
void etcd_write_record(const struct instance *instance, struct buf *out);

/** The answer to a range request: the instances of its records, whose ids are what follows the last slash of their
 *  keys. ERR_PROTOCOL. */
enum err must_check etcd_read_range(struct text body, struct discovery_found *found, int64_t *ret_revision);

/** Of a line of a watch: whether it says that something has changed, or that the watch is over; otherwise it says
 *  nothing new. */
bool etcd_line_tells(struct text line);

/** A lease's id and lifetime, of a grant ({"ID", "TTL"}) or of a sign of life ({"result": {…}}). ERR_NOT_FOUND for a
 *  lease that is none any more; ERR_PROTOCOL. */
enum err must_check etcd_read_lease(struct text body, int64_t *ret_id);

/** {"token"}, zero-terminated. ERR_PROTOCOL. */
enum err must_check etcd_read_token(struct text body, char *out, size_t size);

#endif
