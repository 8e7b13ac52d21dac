check_PROGRAMS += check/unit/test_redis
TESTS += check/unit/test_redis
check_unit_test_redis_SOURCES = check/unit/test_redis.c
check_unit_test_redis_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_redis_LDADD = $(HARNESS) $(LIBS_CACHE) $(CUNIT_LIBS)
