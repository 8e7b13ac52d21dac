# The tests of the FastCGI transports in shared/net.
FCGI_TESTS = check/unit/test_server
check_PROGRAMS += $(FCGI_TESTS)
TESTS += $(FCGI_TESTS)

SERVER_CASES = check/unit/server_fixture.c check/unit/server_fixture.h \
	check/unit/server_cases_request.c \
	check/unit/server_cases_record.c \
	check/unit/server_cases_limit.c \
	check/unit/server_cases_time.c \
	check/unit/server_cases_load.c

check_unit_test_server_SOURCES = check/unit/test_server.c $(SERVER_CASES)
check_unit_test_server_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_server_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)
