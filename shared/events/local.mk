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
	shared/events/event_own.c shared/events/event_private.h \
	shared/events/event_trace.c shared/events/event_trace.h \
	shared/events/failure.c shared/events/failure.h \
	shared/events/lease.h \
	shared/events/outbox.c shared/events/outbox.h shared/events/outbox_private.h \
	shared/events/parked.c shared/events/parked.h \
	shared/events/relay.c \
	shared/events/wakeup.c shared/events/wakeup.h
if WITH_KAFKA
shared_events_libevents_a_SOURCES += \
	shared/events/bus_kafka.c shared/events/bus_kafka.h \
	shared/events/bus_kafka_ask.c \
	shared/events/bus_kafka_assignment.c \
	shared/events/bus_kafka_commit.c \
	shared/events/bus_kafka_dead.c \
	shared/events/bus_kafka_look.c \
	shared/events/bus_kafka_message.c shared/events/bus_kafka_message.h \
	shared/events/bus_kafka_places.c shared/events/bus_kafka_places.h \
	shared/events/bus_kafka_producer.c shared/events/bus_kafka_producer.h \
	shared/events/bus_kafka_properties.c shared/events/bus_kafka_properties.h \
	shared/events/bus_kafka_statistics.c \
	shared/events/bus_kafka_subscription.c
endif
if WITH_RABBITMQ
shared_events_libevents_a_SOURCES += \
	shared/events/bus_amqp.c shared/events/bus_amqp.h \
	shared/events/bus_amqp_held.c shared/events/bus_amqp_held.h \
	shared/events/bus_amqp_lag.c \
	shared/events/bus_amqp_link.c shared/events/bus_amqp_link.h \
	shared/events/bus_amqp_message.c shared/events/bus_amqp_message.h \
	shared/events/bus_amqp_publish.c \
	shared/events/bus_amqp_settings.c shared/events/bus_amqp_settings.h \
	shared/events/bus_amqp_subscription.c \
	shared/events/bus_amqp_topology.c shared/events/bus_amqp_topology.h
endif
nodist_shared_events_libevents_a_SOURCES = \
	shared/events/bus_migrations.c \
	shared/events/events_migrations.c

bus_sql = shared/events/bus_migrations/001_log.sql shared/events/bus_migrations/002_types.sql
events_sql = shared/events/migrations/001_events.sql shared/events/migrations/001_events.postgresql.sql \
	shared/events/migrations/002_history.sql shared/events/migrations/002_history.postgresql.sql \
	shared/events/migrations/003_tracestate.sql
EXTRA_DIST += $(bus_sql) $(events_sql)
BUILT_SOURCES += shared/events/bus_migrations.c shared/events/events_migrations.c
CLEANFILES += shared/events/bus_migrations.c shared/events/events_migrations.c
shared/events/bus_migrations.c: $(bus_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) bus $(srcdir)/shared/events/bus_migrations $@
shared/events/events_migrations.c: $(events_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) events $(srcdir)/shared/events/migrations $@
