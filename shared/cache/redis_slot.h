/*
 * Which of a Redis Cluster's 16384 slots a key is in (Redis Cluster Specification, "Key distribution model"): CRC16 of
 * the key, or of what stands between the first { and the next } when that is not empty, so that keys with the same tag
 * are in one slot. Pure: any thread.
 */
#ifndef TANDEM_CACHE_REDIS_SLOT_H
#define TANDEM_CACHE_REDIS_SLOT_H

#include "base/text.h"

enum { REDIS_SLOTS = 16384 };

unsigned redis_slot(struct text key);

#endif
