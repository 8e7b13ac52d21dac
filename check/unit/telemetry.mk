check_PROGRAMS += check/unit/test_log check/unit/test_log_line check/unit/test_metric
TESTS += check/unit/test_log check/unit/test_log_line check/unit/test_metric
LOG_PIPE = check/unit/log_pipe.c check/unit/log_pipe.h

check_unit_test_log_SOURCES = check/unit/test_log.c $(LOG_PIPE)
check_unit_test_log_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_log_line_SOURCES = check/unit/test_log_line.c $(LOG_PIPE)
check_unit_test_log_line_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_line_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_metric_SOURCES = check/unit/test_metric.c
check_unit_test_metric_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_metric_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_log_ring
TESTS += check/unit/test_log_ring

check_unit_test_log_ring_SOURCES = check/unit/test_log_ring.c
check_unit_test_log_ring_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_ring_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_log_sink check/unit/test_log_control check/unit/test_trace \
	check/unit/test_trace_memory
TESTS += check/unit/test_log_sink check/unit/test_log_control check/unit/test_trace check/unit/test_trace_memory

check_unit_test_log_sink_SOURCES = check/unit/test_log_sink.c
check_unit_test_log_sink_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_sink_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_log_control_SOURCES = check/unit/test_log_control.c $(LOG_PIPE)
check_unit_test_log_control_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_log_control_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_trace_SOURCES = check/unit/test_trace.c
check_unit_test_trace_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_trace_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_trace_memory_SOURCES = check/unit/test_trace_memory.c
check_unit_test_trace_memory_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_trace_memory_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

OTLP_TESTS = check/unit/test_otlp check/unit/test_otlp_exporter check/unit/test_otlp_failures check/unit/test_otlp_memory \
	check/unit/test_trace_tree
check_PROGRAMS += $(OTLP_TESTS)
TESTS += $(OTLP_TESTS)
EXPORTING = check/unit/exporting.c check/unit/exporting.h
SPANS = check/unit/spans.c check/unit/spans.h

check_unit_test_otlp_SOURCES = check/unit/test_otlp.c $(SPANS)
check_unit_test_otlp_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_otlp_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_otlp_exporter_SOURCES = check/unit/test_otlp_exporter.c $(EXPORTING) $(SPANS)
check_unit_test_otlp_exporter_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_otlp_exporter_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_otlp_failures_SOURCES = check/unit/test_otlp_failures.c $(EXPORTING) $(SPANS)
check_unit_test_otlp_failures_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_otlp_failures_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_otlp_memory_SOURCES = check/unit/test_otlp_memory.c $(EXPORTING) $(SPANS)
check_unit_test_otlp_memory_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_otlp_memory_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
check_unit_test_otlp_memory_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_unit_test_trace_tree_SOURCES = check/unit/test_trace_tree.c
check_unit_test_trace_tree_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_trace_tree_LDADD = $(HARNESS) $(LIBS_TELEMETRY) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_metric_store
TESTS += check/unit/test_metric_store
check_unit_test_metric_store_SOURCES = check/unit/test_metric_store.c
check_unit_test_metric_store_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_metric_store_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)
