# The conformance suite of events/bus.h: one program for each kind of broker, of the same cases.

check_LIBRARIES += check/service/libbuscases.a
check_service_libbuscases_a_SOURCES = \
	check/service/bus_cases.h \
	check/service/bus_cases_away.c \
	check/service/bus_cases_consumer.c \
	check/service/bus_cases_delivery.c \
	check/service/bus_cases_group.c \
	check/service/bus_world.c check/service/bus_world.h
check_service_libbuscases_a_CPPFLAGS = $(CHECK_CPPFLAGS)
LIBS_BUS_TEST = check/service/libbuscases.a check/unit/libevents_fixture.a $(SCRATCH) $(HARNESS) $(LIBS_EVENTS) \
	$(CUNIT_LIBS)

# A cluster takes longer than make check has time for: make check-bus.
BUS_TESTS_SHORT = check/service/test_bus check/service/test_bus_rabbitmq check/service/test_bus_kafka
BUS_TESTS = check/service/test_bus check/service/test_bus_rabbitmq check/service/test_bus_rabbitmq_cluster \
	check/service/test_bus_kafka
check_PROGRAMS += $(BUS_TESTS)
TESTS += $(BUS_TESTS_SHORT)

check_service_test_bus_SOURCES = check/service/test_bus.c
check_service_test_bus_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_embedded
check_service_test_bus_LDADD = $(LIBS_BUS_TEST)

check_service_test_bus_rabbitmq_SOURCES = check/service/test_bus.c
check_service_test_bus_rabbitmq_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_rabbitmq
check_service_test_bus_rabbitmq_LDADD = $(LIBS_BUS_TEST)

check_service_test_bus_rabbitmq_cluster_SOURCES = check/service/test_bus.c
check_service_test_bus_rabbitmq_cluster_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_rabbitmq_cluster
check_service_test_bus_rabbitmq_cluster_LDADD = $(LIBS_BUS_TEST)

check_service_test_bus_kafka_SOURCES = check/service/test_bus.c
check_service_test_bus_kafka_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_kafka
check_service_test_bus_kafka_LDADD = $(LIBS_BUS_TEST)

# On a Kafka that is there: TANDEM_TEST_KAFKA=host:port
EXTRA_PROGRAMS += check/service/test_bus_kafka_real
CLEANFILES += check/service/test_bus_kafka_real
check_service_test_bus_kafka_real_SOURCES = check/service/test_bus.c
check_service_test_bus_kafka_real_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_kafka_real
check_service_test_bus_kafka_real_LDADD = $(LIBS_BUS_TEST)

check_PROGRAMS += check/service/test_bus_amqp
TESTS += check/service/test_bus_amqp
EXTRA_DIST += check/service/publish_rabbitmq.py
check_service_test_bus_amqp_SOURCES = check/service/test_bus_amqp.c
check_service_test_bus_amqp_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_bus_amqp_LDADD = $(LIBS_BUS_TEST)

# In full: the broker away for a minute, a hundred thousand events behind. The table is then bus-conformance.md.
CLEANFILES += bus-conformance.md check/service/test_bus*.tap
PHONY_TARGETS += check-bus update-bus-conformance
check-bus: $(BUS_TESTS)
	status=0; for test in $(BUS_TESTS); do \
		TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' AWAY_S=$${AWAY_S:-60} \
			KILLS=$${KILLS:-3} BACKLOG=$${BACKLOG:-100000} ./$$test > $$test.tap || status=1; cat $$test.tap; \
	done; \
	$(srcdir)/check/harness/conformance.sh $(srcdir)/doc/conformance-bus.md \
		$(srcdir)/check/service/test_bus.c $(BUS_TESTS:=.tap) \
		> bus-conformance.md; exit $$status

update-bus-conformance: check-bus
	cp bus-conformance.md $(srcdir)/doc/conformance-bus.md

# How many events a second go from the outbox of one service into the database of another, by the bus between them.
BUS_BENCHES = check/bench/bench_bus check/bench/bench_bus_rabbitmq check/bench/bench_bus_rabbitmq_cluster \
	check/bench/bench_bus_kafka
EXTRA_PROGRAMS += $(BUS_BENCHES)
CLEANFILES += $(BUS_BENCHES)
LIBS_BUS_BENCH = check/unit/libevents_fixture.a $(SCRATCH) $(HARNESS) $(LIBS_EVENTS) $(CUNIT_LIBS)

check_bench_bench_bus_SOURCES = check/bench/bench_bus.c
check_bench_bench_bus_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_embedded
check_bench_bench_bus_LDADD = $(LIBS_BUS_BENCH)
check_bench_bench_bus_rabbitmq_SOURCES = check/bench/bench_bus.c
check_bench_bench_bus_rabbitmq_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_rabbitmq
check_bench_bench_bus_rabbitmq_LDADD = $(LIBS_BUS_BENCH)
check_bench_bench_bus_rabbitmq_cluster_SOURCES = check/bench/bench_bus.c
check_bench_bench_bus_rabbitmq_cluster_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_rabbitmq_cluster
check_bench_bench_bus_rabbitmq_cluster_LDADD = $(LIBS_BUS_BENCH)
check_bench_bench_bus_kafka_SOURCES = check/bench/bench_bus.c
check_bench_bench_bus_kafka_CPPFLAGS = $(CHECK_CPPFLAGS) -DBROKER=broker_kafka
check_bench_bench_bus_kafka_LDADD = $(LIBS_BUS_BENCH)

PHONY_TARGETS += bench-events
bench-events: check/bench/bench_events $(BUS_BENCHES)
	./check/bench/bench_events
	for bench in $(BUS_BENCHES); do ./$$bench || exit; done

# The whole system on it.
check_PROGRAMS += check/service/test_rabbitmq
TESTS += check/service/test_rabbitmq
check_service_test_rabbitmq_SOURCES = check/service/test_rabbitmq.c
check_service_test_rabbitmq_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_rabbitmq_LDADD = check/service/libservicetest.a $(HARNESS) $(LIBS_EVENTS) $(LIBS_NET) $(CUNIT_LIBS)
