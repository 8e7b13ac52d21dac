# The tests of the FastCGI transports in shared/net.
FCGI_TESTS = check/unit/test_fcgi_wire check/unit/test_reactor check/unit/test_listen check/unit/test_server \
	check/unit/test_server_libfcgi
check_PROGRAMS += $(FCGI_TESTS)
TESTS += $(FCGI_TESTS)

check_unit_test_fcgi_wire_SOURCES = check/unit/test_fcgi_wire.c
check_unit_test_fcgi_wire_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_fcgi_wire_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_reactor_SOURCES = check/unit/test_reactor.c
check_unit_test_reactor_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_reactor_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_listen_SOURCES = check/unit/test_listen.c
check_unit_test_listen_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_listen_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

SERVER_CASES = check/unit/server_fixture.c check/unit/server_fixture.h \
	check/unit/server_cases_request.c \
	check/unit/server_cases_record.c \
	check/unit/server_cases_limit.c \
	check/unit/server_cases_time.c \
	check/unit/server_cases_load.c

check_unit_test_server_SOURCES = check/unit/test_server.c $(SERVER_CASES)
check_unit_test_server_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_server_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_server_libfcgi_SOURCES = check/unit/test_server_libfcgi.c $(SERVER_CASES)
check_unit_test_server_libfcgi_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_server_libfcgi_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)
