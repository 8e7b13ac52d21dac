check_PROGRAMS += check/unit/test_log
TESTS += check/unit/test_log

check_unit_test_log_SOURCES = check/unit/test_log.c
check_unit_test_log_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)
