# The services as they run: behind a real front, over FastCGI, with state on disk. See variants.h.

SERVICE_TESTS = check/service/test_bus_full check/service/test_db_copy check/service/test_expiry \
	check/service/test_front check/service/test_http \
	check/service/test_idempotency check/service/test_idempotency_scaled check/service/test_inventory \
	check/service/test_load check/service/test_log check/service/test_log_stalled check/service/test_metrics \
	check/service/test_order check/service/test_order_postgresql check/service/test_payment_stripe check/service/test_poison \
	check/service/test_postgresql \
	check/service/test_reload check/service/test_restart check/service/test_scaled check/service/test_sign_out \
	check/service/test_trace check/service/test_trace_kept check/service/test_trace_otlp \
	check/service/test_trace_otlp_json check/service/test_trace_receiver check/service/test_trace_show \
	check/service/test_user check/service/test_user_away check/service/test_user_faults
check_PROGRAMS += $(SERVICE_TESTS) check/service/echo
SERVICE_TESTS_SH = check/service/test_gitops.sh check/service/test_prometheus.sh check/service/test_run.sh \
	check/service/test_run_discovery.sh check/service/test_run_engines.sh check/service/test_settings.sh
dist_check_SCRIPTS += $(SERVICE_TESTS_SH)
EXTRA_DIST += check/service/run.sh check/service/settings.sh
TESTS += $(SERVICE_TESTS) $(SERVICE_TESTS_SH)

# Every process of the system on engines is killed once, which takes longer than make check has time for.
PHONY_TARGETS += check-engines
check-engines: all
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' KILLS=1 \
		$(srcdir)/check/service/test_run_engines.sh

check_LIBRARIES += check/service/libservicetest.a
check_service_libservicetest_a_SOURCES = \
	check/service/control.c check/service/control.h \
	check/service/crowd.c check/service/crowd.h \
	check/service/steps.c check/service/steps.h \
	check/service/variants.c check/service/variants.h
check_service_libservicetest_a_CPPFLAGS = $(CHECK_CPPFLAGS)
LIBS_SERVICE_TEST = check/service/libservicetest.a $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_service_test_bus_full_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_bus_full_LDADD = $(LIBS_SERVICE_TEST) $(LIBS_EVENTS)
check_service_test_db_copy_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_db_copy_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_expiry_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_expiry_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_front_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_front_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_http_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_http_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_idempotency_CPPFLAGS = $(CHECK_CPPFLAGS) -DWORKERS=1
check_service_test_idempotency_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_idempotency_scaled_CPPFLAGS = $(CHECK_CPPFLAGS) -DWORKERS=4
check_service_test_idempotency_scaled_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_inventory_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_inventory_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_load_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_load_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_log_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_log_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_log_stalled_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_log_stalled_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_metrics_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_metrics_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_order_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_order_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_order_postgresql_CPPFLAGS = $(CHECK_CPPFLAGS) -DON_POSTGRESQL
check_service_test_order_postgresql_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_payment_stripe_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_payment_stripe_LDADD = $(LIBS_SERVICE_TEST) $(SQLITE_LIBS)
check_service_test_postgresql_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_postgresql_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_poison_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_poison_LDADD = $(LIBS_SERVICE_TEST) $(LIBS_EVENTS)
check_service_test_reload_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_reload_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_restart_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_restart_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_scaled_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_scaled_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_trace_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_trace_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_trace_show_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_trace_show_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_trace_otlp_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_trace_otlp_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_trace_otlp_json_CPPFLAGS = $(CHECK_CPPFLAGS) -DTEST_PROTOCOL='"http/json"'
check_service_test_trace_otlp_json_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_trace_receiver_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_trace_receiver_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_trace_kept_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_trace_kept_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_sign_out_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_sign_out_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_user_away_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_user_away_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_user_faults_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_user_faults_LDADD = $(LIBS_SERVICE_TEST)
check_service_test_user_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_user_LDADD = $(LIBS_SERVICE_TEST)

check_service_test_bus_full_SOURCES = check/service/test_bus_full.c
check_service_test_db_copy_SOURCES = check/service/test_db_copy.c
check_service_test_expiry_SOURCES = check/service/test_expiry.c
check_service_test_front_SOURCES = check/service/test_front.c
check_service_test_http_SOURCES = check/service/test_http.c
check_service_test_idempotency_SOURCES = check/service/test_idempotency.c
check_service_test_idempotency_scaled_SOURCES = check/service/test_idempotency.c
check_service_test_inventory_SOURCES = check/service/test_inventory.c
check_service_test_load_SOURCES = check/service/test_load.c
check_service_test_log_SOURCES = check/service/test_log.c
check_service_test_log_stalled_SOURCES = check/service/test_log_stalled.c
check_service_test_metrics_SOURCES = check/service/test_metrics.c
check_service_test_order_SOURCES = check/service/test_order.c
check_service_test_order_postgresql_SOURCES = check/service/test_order.c
check_service_test_payment_stripe_SOURCES = check/service/test_payment_stripe.c
check_service_test_postgresql_SOURCES = check/service/test_postgresql.c
check_service_test_poison_SOURCES = check/service/test_poison.c
check_service_test_reload_SOURCES = check/service/test_reload.c
check_service_test_restart_SOURCES = check/service/test_restart.c
check_service_test_scaled_SOURCES = check/service/test_scaled.c
check_service_test_trace_SOURCES = check/service/test_trace.c
check_service_test_trace_show_SOURCES = check/service/test_trace_show.c
check_service_test_trace_otlp_SOURCES = check/service/test_trace_otlp.c
check_service_test_trace_otlp_json_SOURCES = check/service/test_trace_otlp.c
check_service_test_trace_receiver_SOURCES = check/service/test_trace_receiver.c
check_service_test_trace_kept_SOURCES = check/service/test_trace_kept.c
check_service_test_sign_out_SOURCES = check/service/test_sign_out.c
check_service_test_user_away_SOURCES = check/service/test_user_away.c
check_service_test_user_faults_SOURCES = check/service/test_user_faults.c
check_service_test_user_SOURCES = check/service/test_user.c

# A thousand keys, each given a hundred times at once, to one process of each service and to four.
PHONY_TARGETS += check-idempotency
check-idempotency: all check/service/test_idempotency check/service/test_idempotency_scaled
	for test in test_idempotency test_idempotency_scaled; do \
		TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' ROUNDS=$${ROUNDS:-1000} \
			TANDEM_ONLY='hundred posts' TANDEM_VARIANT=$${TANDEM_VARIANT:-nginx, native} ./check/service/$$test || exit; \
	done

# Many more restarts than make check has time for.
PHONY_TARGETS += check-restarts
check-restarts: all check/service/test_restart
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' RESTARTS=$${RESTARTS:-200} \
		./check/service/test_restart

# The user service away for longer than make check has time for.
PHONY_TARGETS += check-away
check-away: all check/service/test_user_away
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' AWAY_S=$${AWAY_S:-60} \
		./check/service/test_user_away

check_service_echo_SOURCES = check/service/echo.c
check_service_echo_LDADD = $(FCGI_LIBS)

include $(srcdir)/check/service/bus.mk
include $(srcdir)/check/service/cache.mk
include $(srcdir)/check/service/discovery.mk
