noinst_LIBRARIES += shared/app/libapp.a
shared_app_libapp_a_SOURCES = \
	shared/app/arguments.c shared/app/arguments.h \
	shared/app/auth.c shared/app/auth.h \
	shared/app/auth_cache.c shared/app/auth_cache.h \
	shared/app/auth_lookup.c shared/app/auth_private.h \
	shared/app/auth_watch.c \
	shared/app/background.c shared/app/background.h \
	shared/app/bus_settings.c shared/app/bus_settings.h \
	shared/app/cache_settings.c shared/app/cache_settings.h \
	shared/app/call.c shared/app/call.h \
	shared/app/call_trace.c shared/app/call_trace.h \
	shared/app/claims.c shared/app/claims.h \
	shared/app/checks.c shared/app/checks.h \
	shared/app/database_settings.c shared/app/database_settings.h \
	shared/app/discovery_page.c \
	shared/app/discovery_settings.c shared/app/discovery_settings.h \
	shared/app/emit.c \
	shared/app/fault_settings.c shared/app/fault_settings.h \
	shared/app/health.c shared/app/health.h \
	shared/app/health_checks.c \
	shared/app/idempotency.c shared/app/idempotency.h \
	shared/app/log_settings.c shared/app/log_settings.h \
	shared/app/metrics.c shared/app/metrics.h \
	shared/app/notify.c shared/app/notify.h \
	shared/app/observe.c shared/app/observe.h \
	shared/app/observe_events.c \
	shared/app/page.c \
	shared/app/part.c shared/app/part.h \
	shared/app/parts.c \
	shared/app/pipeline.c shared/app/pipeline.h \
	shared/app/pool.c shared/app/pool.h \
	shared/app/reload.c shared/app/reload.h \
	shared/app/service.c shared/app/service.h \
	shared/app/service_rules.c shared/app/service_rules.h \
	shared/app/trace_export.c shared/app/trace_export.h \
	shared/app/trace_settings.c shared/app/trace_settings.h \
	shared/app/traces.c shared/app/traces.h
nodist_shared_app_libapp_a_SOURCES = shared/app/app_migrations.c

app_sql = shared/app/migrations/001_idempotency.sql shared/app/migrations/001_idempotency.postgresql.sql \
	shared/app/migrations/002_health.sql shared/app/migrations/002_health.postgresql.sql
EXTRA_DIST += $(app_sql)
BUILT_SOURCES += shared/app/app_migrations.c
CLEANFILES += shared/app/app_migrations.c
shared/app/app_migrations.c: $(app_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) app $(srcdir)/shared/app/migrations $@
