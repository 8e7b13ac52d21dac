check_PROGRAMS += check/unit/test_background check/unit/test_checks check/unit/test_claims check/unit/test_health \
	check/unit/test_idempotency check/unit/test_service check/unit/test_service_rules
TESTS += check/unit/test_background check/unit/test_checks check/unit/test_claims check/unit/test_health \
	check/unit/test_idempotency check/unit/test_service check/unit/test_service_rules

check_unit_test_checks_SOURCES = check/unit/test_checks.c
check_unit_test_checks_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_checks_LDADD = $(HARNESS) $(LIBS_APP) $(CUNIT_LIBS)

check_unit_test_background_SOURCES = check/unit/test_background.c
check_unit_test_background_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_background_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_APP) $(CUNIT_LIBS)

check_unit_test_claims_SOURCES = check/unit/test_claims.c
check_unit_test_claims_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_claims_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_APP) $(CUNIT_LIBS)

check_unit_test_health_SOURCES = check/unit/test_health.c
check_unit_test_health_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_health_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_idempotency_SOURCES = check/unit/test_idempotency.c
check_unit_test_idempotency_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_idempotency_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_APP) $(CUNIT_LIBS)

check_unit_test_service_SOURCES = check/unit/test_service.c
check_unit_test_service_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_service_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_service_rules_SOURCES = check/unit/test_service_rules.c
check_unit_test_service_rules_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_service_rules_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_trace_export
TESTS += check/unit/test_trace_export
check_unit_test_trace_export_SOURCES = check/unit/test_trace_export.c $(SPANS)
check_unit_test_trace_export_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_trace_export_LDADD = $(HARNESS) $(LIBS_APP) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_auth_cache check/unit/test_pool
TESTS += check/unit/test_auth_cache check/unit/test_pool

check_unit_test_auth_cache_SOURCES = check/unit/test_auth_cache.c
check_unit_test_auth_cache_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_auth_cache_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_APP) $(CUNIT_LIBS)

check_unit_test_pool_SOURCES = check/unit/test_pool.c
check_unit_test_pool_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_pool_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_APP) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_auth_examples
TESTS += check/unit/test_auth_examples
check_unit_test_auth_examples_SOURCES = check/unit/test_auth_examples.c
check_unit_test_auth_examples_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_auth_examples_LDADD = check/unit/libeventexamples.a $(HARNESS) $(LIBS_APP) $(CUNIT_LIBS)
