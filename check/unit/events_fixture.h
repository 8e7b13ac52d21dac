/*
 * What tests of events share: making events, and opening a bus and a service's database in a scratch folder.
 */
#ifndef TANDEM_CHECK_UNIT_EVENTS_FIXTURE_H
#define TANDEM_CHECK_UNIT_EVENTS_FIXTURE_H

#include "check/unit/scratch.h"
#include "events/bus.h"
#include "events/event.h"

/** An event with that number as its data and its id; the texts live until the thread has made 64 more. */
struct event fixture_event(const char *type, const char *subject, int number);

/** The number of such an event. */
int fixture_number(const struct event *event);

/** Options for "embedded:FOLDER/bus.db"; the URL lives as long as nobody asks again. */
struct bus_opts fixture_bus_opts(struct scratch *scratch);

/** A bus in the scratch folder. */
struct bus *fixture_bus_open(struct scratch *scratch);

/** A service's database, FOLDER/NAME, migrated for events, with a table effect(number, subject, seen); started. */
struct db *fixture_db_open(struct scratch *scratch, const char *name);

#endif
