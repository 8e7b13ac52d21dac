check_LIBRARIES += check/harness/libharness.a
check_harness_libharness_a_SOURCES = \
	check/harness/fcgi_client.c check/harness/fcgi_client.h \
	check/harness/suite.c check/harness/suite.h
check_harness_libharness_a_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)

HARNESS = check/harness/libharness.a
CHECK_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)
