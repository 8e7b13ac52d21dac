/*
 * The cases of the conformance suite of cache/cache.h, by what they are about; test_cache.c has the table of them.
 */
#ifndef TANDEM_CHECK_SERVICE_CACHE_CASES_H
#define TANDEM_CHECK_SERVICE_CACHE_CASES_H

/* ---- cache_cases_keep.c: what is kept, and for how long ---- */

void cache_case_put(void);
void cache_case_hit(void);
void cache_case_ages(void);
void cache_case_own_end(void);
void cache_case_spread(void);
void cache_case_bounded(void);
void cache_case_scan(void);
void cache_case_versions(void);
void cache_case_group(void);
void cache_case_marks(void);

/* ---- cache_cases_load.c: loading, and what is not loaded ---- */

void cache_case_load(void);
void cache_case_absent(void);
void cache_case_absent_many(void);
void cache_case_one_load(void);
void cache_case_waiters(void);
void cache_case_deadline(void);
void cache_case_failing(void);
void cache_case_stale_served(void);
void cache_case_early(void);
void cache_case_stale_refill(void);
void cache_case_joined_late(void);
void cache_case_changing(void);

/* ---- cache_cases_filter.c: what was never asked for ---- */

void cache_case_distinct(void);
void cache_case_made(void);
void cache_case_made_elsewhere(void);

/* ---- cache_cases_shared.c: with a remote part ---- */

void cache_case_shared(void);
void cache_case_shared_invalidated(void);
void cache_case_shared_group(void);
void cache_case_shared_refill(void);
void cache_case_shared_breakdown(void);
void cache_case_shared_holder_dies(void);
void cache_case_away(void);
void cache_case_hangs(void);
void cache_case_signs_in(void);

/* ---- cache_cases_cluster.c ---- */

void cache_case_moved(void);
void cache_case_replicas(void);
void cache_case_migrated(void);
void cache_case_cluster_down(void);
void cache_case_master_killed(void);

#endif
