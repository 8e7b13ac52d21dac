check_LIBRARIES += check/harness/libharness.a
check_harness_libharness_a_SOURCES = \
	check/harness/authority.c check/harness/authority.h \
	check/harness/broker.h check/harness/broker_embedded.c check/harness/broker_kafka.c \
	check/harness/broker_rabbitmq.c \
	check/harness/conformance.c check/harness/conformance.h \
	check/harness/fake_gateway.c check/harness/fake_gateway.h \
	check/harness/fake_gateway_events.c \
	check/harness/fake_gateway_ledger.c check/harness/fake_gateway_ledger.h \
	check/harness/fake_gateway_private.h \
	check/harness/fake_service.c check/harness/fake_service.h \
	check/harness/fcgi_client.c check/harness/fcgi_client.h \
	check/harness/http_client.c check/harness/http_client.h \
	check/harness/otlp_decode.c check/harness/otlp_decode.h \
	check/harness/otlp_receiver.c check/harness/otlp_receiver.h \
	check/harness/postgres.c check/harness/postgres.h \
	check/harness/process.c check/harness/process.h \
	check/harness/rabbitmq.c check/harness/rabbitmq.h \
	check/harness/registry_server.h \
	check/harness/suite.c check/harness/suite.h \
	check/harness/system.c check/harness/system.h \
	check/harness/system_accounts.c check/harness/system_accounts.h \
	check/harness/template.c check/harness/template.h \
	check/harness/text_format.c check/harness/text_format.h \
	check/harness/trace_tree.c check/harness/trace_tree.h
if WITH_REDIS
check_harness_libharness_a_SOURCES += check/harness/redis.c check/harness/redis.h
endif
check_harness_libharness_a_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)

EXTRA_DIST += check/harness/otlp.proto

# A Kafka to test against, which librdkafka brings.
if WITH_KAFKA
check_PROGRAMS += check/harness/kafka_mock
check_harness_kafka_mock_SOURCES = check/harness/kafka_mock.c
check_harness_kafka_mock_CPPFLAGS = $(CHECK_CPPFLAGS)
check_harness_kafka_mock_LDADD = $(KAFKA_LIBS)
endif

HARNESS = check/harness/libharness.a
CHECK_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)

# The tables of doc/conformance-*.md.
EXTRA_DIST += check/harness/conformance.sh
