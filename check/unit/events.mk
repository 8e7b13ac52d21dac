# Examples of events, made of their schemas; `make update-event-examples` writes them anew, and a test holds them to those.
check_LIBRARIES += check/unit/libeventexamples.a
check_unit_libeventexamples_a_SOURCES = check/unit/event_examples.c check/unit/event_examples.h
check_unit_libeventexamples_a_CPPFLAGS = $(CHECK_CPPFLAGS)
EXTRA_DIST += check/unit/event_examples.tsv check/harness/event_schemas.py
PHONY_TARGETS += update-event-examples
update-event-examples:
	python3 $(srcdir)/check/harness/event_schemas.py examples $(srcdir)/etc/events > $(srcdir)/check/unit/event_examples.tsv

check_LIBRARIES += check/unit/libevents_fixture.a
check_unit_libevents_fixture_a_SOURCES = check/unit/events_fixture.c check/unit/events_fixture.h
LIBS_EVENTS_CHECK = check/unit/libevents_fixture.a $(SCRATCH) $(LIBS_EVENTS) $(CUNIT_LIBS)

events_tests = check/unit/test_event check/unit/test_bus check/unit/test_bus_browse check/unit/test_outbox \
	check/unit/test_relay check/unit/test_consumer check/unit/test_dead_letter
check_PROGRAMS += $(events_tests)
TESTS += $(events_tests)

if WITH_RABBITMQ
check_PROGRAMS += check/unit/test_bus_amqp
TESTS += check/unit/test_bus_amqp
check_unit_test_bus_amqp_SOURCES = check/unit/test_bus_amqp.c
check_unit_test_bus_amqp_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_bus_amqp_LDADD = $(HARNESS) $(LIBS_EVENTS) $(CUNIT_LIBS)
endif

check_unit_test_event_SOURCES = check/unit/test_event.c
check_unit_test_event_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_event_LDADD = $(HARNESS) $(LIBS_EVENTS) $(CUNIT_LIBS)

check_unit_test_bus_SOURCES = check/unit/test_bus.c
check_unit_test_bus_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_bus_LDADD = $(HARNESS) $(LIBS_EVENTS_CHECK)

check_unit_test_bus_browse_SOURCES = check/unit/test_bus_browse.c
check_unit_test_bus_browse_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_bus_browse_LDADD = $(HARNESS) $(LIBS_EVENTS_CHECK)

check_unit_test_relay_SOURCES = check/unit/test_relay.c
check_unit_test_relay_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_relay_LDADD = $(HARNESS) $(LIBS_EVENTS_CHECK)

check_unit_test_dead_letter_SOURCES = check/unit/test_dead_letter.c
check_unit_test_dead_letter_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_dead_letter_LDADD = $(HARNESS) $(LIBS_EVENTS_CHECK)

check_unit_test_outbox_SOURCES = check/unit/test_outbox.c
check_unit_test_outbox_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_outbox_LDADD = $(HARNESS) $(LIBS_EVENTS_CHECK)

check_unit_test_consumer_SOURCES = check/unit/test_consumer.c
check_unit_test_consumer_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_consumer_LDADD = $(HARNESS) $(LIBS_EVENTS_CHECK)

if WITH_KAFKA
check_PROGRAMS += check/unit/test_bus_kafka_parts
TESTS += check/unit/test_bus_kafka_parts
check_unit_test_bus_kafka_parts_SOURCES = check/unit/test_bus_kafka_parts.c
check_unit_test_bus_kafka_parts_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_bus_kafka_parts_LDADD = $(HARNESS) $(LIBS_EVENTS_CHECK)
endif

# Figures, never a test: make bench-events
EXTRA_PROGRAMS += check/bench/bench_events
CLEANFILES += check/bench/bench_events
check_bench_bench_events_SOURCES = check/bench/bench_events.c
check_bench_bench_events_CPPFLAGS = $(CHECK_CPPFLAGS)
check_bench_bench_events_LDADD = $(LIBS_EVENTS_CHECK)
