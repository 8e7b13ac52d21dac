check_LIBRARIES += check/harness/libharness.a
check_harness_libharness_a_SOURCES = \
	check/harness/fake_service.c check/harness/fake_service.h \
	check/harness/fcgi_client.c check/harness/fcgi_client.h \
	check/harness/http_client.c check/harness/http_client.h \
	check/harness/process.c check/harness/process.h \
	check/harness/suite.c check/harness/suite.h \
	check/harness/system.c check/harness/system.h \
	check/harness/system_accounts.c check/harness/system_accounts.h \
	check/harness/template.c check/harness/template.h
check_harness_libharness_a_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)

HARNESS = check/harness/libharness.a
CHECK_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
