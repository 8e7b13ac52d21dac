noinst_LIBRARIES += shared/telemetry/libtelemetry.a
shared_telemetry_libtelemetry_a_SOURCES = \
	shared/telemetry/log.c shared/telemetry/log.h \
	shared/telemetry/log_format.c shared/telemetry/log_format.h \
	shared/telemetry/log_repeat.c shared/telemetry/log_repeat.h \
	shared/telemetry/log_ring.c shared/telemetry/log_ring.h \
	shared/telemetry/log_sink.c shared/telemetry/log_sink.h \
	shared/telemetry/log_syslog.c shared/telemetry/log_syslog.h \
	shared/telemetry/log_writer.c shared/telemetry/log_writer.h \
	shared/telemetry/metric.c shared/telemetry/metric.h \
	shared/telemetry/metric_page.c shared/telemetry/metric_page.h \
	shared/telemetry/metric_private.h shared/telemetry/metric_table.h \
	shared/telemetry/metric_process.c \
	shared/telemetry/metric_store.c shared/telemetry/metric_store.h \
	shared/telemetry/metric_text.c \
	shared/telemetry/otlp.h shared/telemetry/otlp_exporter.h \
	shared/telemetry/span.h \
	shared/telemetry/trace.c shared/telemetry/trace.h
