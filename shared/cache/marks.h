/*
 * Marks: what was invalidated, and when.
 *
 * Who is about to load a value takes the mark of now, which is the monotonic time. The value is good for as long as
 * nothing that it stands for was invalidated at that time or later: marks_hold(). So a loader that was paused, for
 * however long, never has an older value taken for a newer one, and whoever invalidates need not know who is loading,
 * nor what is cached where.
 *
 * Bounded by construction: MARK_PLACES times, and the hash of a key, or of a group that many keys belong to, says
 * which. Two that meet in one place are invalidated together, which costs a load and is never wrong.
 *
 * With a path the times are in a file that the processes of a machine share, so that what one of them invalidates is
 * gone for all of them at once, without a message. Hashes are SipHash-2-4 with a random key that the file holds, so
 * nobody outside can choose keys that meet.
 *
 * Any thread; nothing blocks or takes a lock.
 */
#ifndef TANDEM_CACHE_MARKS_H
#define TANDEM_CACHE_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

enum { MARK_PLACES = 16384 };

struct marks;

/** path NULL: this process's own. The file is made when it is missing; what it holds is worth nothing once no process
 *  has it open. ERR_STORAGE, ERR_MEMORY. */
enum err must_check marks_open(const char *path, struct marks **ret);
void marks_close(struct marks *marks);

/** Of a key or a group, within the name of whose they are. Never 0. */
uint64_t marks_hash(const struct marks *marks, uint64_t name_hash, struct text key);

/** The mark of now: clock_now_ns(). */
int64_t marks_now(void);

/** What was loaded before now, and stands for this, is good no more. After the change is durable, before it is told. */
void marks_invalidate(struct marks *marks, uint64_t hash);

/** The same for everything. */
void marks_invalidate_all(struct marks *marks);

/** Whether nothing with this hash was invalidated at the mark or later. */
bool marks_hold(const struct marks *marks, uint64_t hash, int64_t mark);

#endif
