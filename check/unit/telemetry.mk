check_PROGRAMS += check/unit/test_log check/unit/test_metric
TESTS += check/unit/test_log check/unit/test_metric

check_unit_test_log_SOURCES = check/unit/test_log.c
check_unit_test_log_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_metric_SOURCES = check/unit/test_metric.c
check_unit_test_metric_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_metric_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_log_sink check/unit/test_log_control check/unit/test_trace
TESTS += check/unit/test_log_sink check/unit/test_log_control check/unit/test_trace

check_unit_test_log_sink_SOURCES = check/unit/test_log_sink.c
check_unit_test_log_sink_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_sink_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_log_control_SOURCES = check/unit/test_log_control.c
check_unit_test_log_control_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_control_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_trace_SOURCES = check/unit/test_trace.c
check_unit_test_trace_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_trace_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_metric_store
TESTS += check/unit/test_metric_store
check_unit_test_metric_store_SOURCES = check/unit/test_metric_store.c
check_unit_test_metric_store_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_metric_store_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)
