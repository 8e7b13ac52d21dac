check_PROGRAMS += check/unit/test_redis
TESTS += check/unit/test_redis
check_unit_test_redis_SOURCES = check/unit/test_redis.c
check_unit_test_redis_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_redis_LDADD = $(HARNESS) $(LIBS_CACHE) $(CUNIT_LIBS)

check_LIBRARIES += check/unit/libfilterfixture.a
check_unit_libfilterfixture_a_SOURCES = check/unit/filter_fixture.c check/unit/filter_fixture.h \
	check/unit/filter_source.c check/unit/filter_source.h
check_unit_libfilterfixture_a_CPPFLAGS = $(CHECK_CPPFLAGS)
FILTER_TEST_LIBS = check/unit/libfilterfixture.a $(SCRATCH) $(LIBS_CACHE) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_filter check/unit/test_filter_shared
TESTS += check/unit/test_filter check/unit/test_filter_shared
check_unit_test_filter_SOURCES = check/unit/test_filter.c
check_unit_test_filter_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_filter_LDADD = $(FILTER_TEST_LIBS)
check_unit_test_filter_shared_SOURCES = check/unit/test_filter_shared.c
check_unit_test_filter_shared_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_filter_shared_LDADD = $(FILTER_TEST_LIBS)

if WITH_REDIS
check_PROGRAMS += check/unit/test_redis_link
TESTS += check/unit/test_redis_link
check_unit_test_redis_link_SOURCES = check/unit/test_redis_link.c
check_unit_test_redis_link_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_redis_link_LDADD = $(HARNESS) $(LIBS_CACHE) $(CUNIT_LIBS)
endif
