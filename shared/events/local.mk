noinst_LIBRARIES += shared/events/libevents.a
shared_events_libevents_a_SOURCES = \
	shared/events/backoff.c shared/events/backoff.h \
	shared/events/bus.c shared/events/bus.h shared/events/bus_driver.h \
	shared/events/bus_embedded.c shared/events/bus_embedded.h \
	shared/events/bus_embedded_browse.c \
	shared/events/bus_embedded_subscription.c \
	shared/events/consumer.c shared/events/consumer.h shared/events/consumer_private.h \
	shared/events/consumer_apply.c \
	shared/events/consumer_trace.c \
	shared/events/consumer_unknown.c \
	shared/events/dead_letter.c shared/events/dead_letter.h \
	shared/events/event.c shared/events/event.h \
	shared/events/event_trace.c shared/events/event_trace.h \
	shared/events/failure.c shared/events/failure.h \
	shared/events/lease.h \
	shared/events/outbox.c shared/events/outbox.h shared/events/outbox_private.h \
	shared/events/parked.c shared/events/parked.h \
	shared/events/relay.c \
	shared/events/wakeup.c shared/events/wakeup.h
nodist_shared_events_libevents_a_SOURCES = \
	shared/events/bus_migrations.c \
	shared/events/events_migrations.c

bus_sql = shared/events/bus_migrations/001_log.sql shared/events/bus_migrations/002_types.sql
events_sql = shared/events/migrations/001_events.sql shared/events/migrations/002_history.sql
EXTRA_DIST += $(bus_sql) $(events_sql)
BUILT_SOURCES += shared/events/bus_migrations.c shared/events/events_migrations.c
CLEANFILES += shared/events/bus_migrations.c shared/events/events_migrations.c
shared/events/bus_migrations.c: $(bus_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) bus $(srcdir)/shared/events/bus_migrations $@
shared/events/events_migrations.c: $(events_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) events $(srcdir)/shared/events/migrations $@
