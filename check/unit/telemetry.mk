check_PROGRAMS += check/unit/test_log check/unit/test_metric
TESTS += check/unit/test_log check/unit/test_metric

check_unit_test_log_SOURCES = check/unit/test_log.c
check_unit_test_log_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_metric_SOURCES = check/unit/test_metric.c
check_unit_test_metric_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_metric_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)
