noinst_LIBRARIES += shared/telemetry/libtelemetry.a
shared_telemetry_libtelemetry_a_SOURCES = \
	shared/telemetry/log.c shared/telemetry/log.h \
	shared/telemetry/log_format.c shared/telemetry/log_format.h \
	shared/telemetry/log_head.c shared/telemetry/log_head.h \
	shared/telemetry/log_json.c shared/telemetry/log_json.h \
	shared/telemetry/log_line.h \
	shared/telemetry/log_record.c shared/telemetry/log_record.h \
	shared/telemetry/log_repeat.c shared/telemetry/log_repeat.h \
	shared/telemetry/log_ring.c shared/telemetry/log_ring.h \
	shared/telemetry/log_sink.c shared/telemetry/log_sink.h \
	shared/telemetry/log_syslog.c shared/telemetry/log_syslog.h \
	shared/telemetry/log_terminal.c shared/telemetry/log_terminal.h \
	shared/telemetry/log_writer.c shared/telemetry/log_writer.h \
	shared/telemetry/metric.c shared/telemetry/metric.h \
	shared/telemetry/metric_page.c shared/telemetry/metric_page.h \
	shared/telemetry/metric_private.h shared/telemetry/metric_table.h \
	shared/telemetry/metric_process.c \
	shared/telemetry/metric_store.c shared/telemetry/metric_store.h \
	shared/telemetry/metric_text.c \
	shared/telemetry/otlp.c shared/telemetry/otlp.h shared/telemetry/otlp_encoding.h \
	shared/telemetry/otlp_body.c shared/telemetry/otlp_body.h \
	shared/telemetry/otlp_exporter.c shared/telemetry/otlp_exporter.h \
	shared/telemetry/otlp_headers.c shared/telemetry/otlp_headers.h \
	shared/telemetry/otlp_json.c \
	shared/telemetry/otlp_protobuf.c \
	shared/telemetry/otlp_queue.c shared/telemetry/otlp_queue.h \
	shared/telemetry/otlp_sender.c shared/telemetry/otlp_sender.h \
	shared/telemetry/span.h \
	shared/telemetry/trace.c shared/telemetry/trace.h shared/telemetry/trace_private.h \
	shared/telemetry/trace_memory.c shared/telemetry/trace_memory.h \
	shared/telemetry/trace_part.c \
	shared/telemetry/trace_queue.c shared/telemetry/trace_queue.h \
	shared/telemetry/trace_random.c \
	shared/telemetry/trace_recall.c \
	shared/telemetry/trace_record.c shared/telemetry/trace_record.h \
	shared/telemetry/trace_recorder.c shared/telemetry/trace_recorder.h \
	shared/telemetry/trace_sampler.c shared/telemetry/trace_sampler.h
