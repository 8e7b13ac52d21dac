/*
 * The cases of the conformance suite of events/bus.h, by what they are about; test_bus.c has the table of them.
 */
#ifndef TANDEM_CHECK_SERVICE_BUS_CASES_H
#define TANDEM_CHECK_SERVICE_BUS_CASES_H

/* ---- bus_cases_delivery.c: what is delivered, and how ---- */

void bus_case_order(void);
void bus_case_types(void);
void bus_case_whole(void);
void bus_case_sizes(void);
void bus_case_refused(void);
void bus_case_nobody_listens(void);
void bus_case_waiting(void);
void bus_case_without_group(void);
void bus_case_new_group(void);
void bus_case_backlog(void);
void bus_case_slow(void);

/* ---- bus_cases_group.c: acknowledging, and who shares a group ---- */

void bus_case_acknowledge(void);
void bus_case_rewind(void);
void bus_case_crash(void);
void bus_case_groups(void);
void bus_case_lag(void);
void bus_case_sharing(void);
void bus_case_browse(void);

/* ---- bus_cases_consumer.c: with the consumer on top ---- */

void bus_case_once(void);
void bus_case_poison(void);
void bus_case_redrive(void);
void bus_case_given_up(void);
void bus_case_takeover(void);

/* ---- bus_cases_away.c: with the broker away ---- */

void bus_case_away(void);
void bus_case_away_from_start(void);
void bus_case_killed(void);
void bus_case_without_group_away(void);
void bus_case_node_killed(void);

#endif
