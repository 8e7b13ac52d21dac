check_PROGRAMS += check/unit/test_http check/unit/test_route check/unit/test_problem check/unit/test_client
TESTS += check/unit/test_http check/unit/test_route check/unit/test_problem check/unit/test_client

check_unit_test_http_SOURCES = check/unit/test_http.c
check_unit_test_http_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_http_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_route_SOURCES = check/unit/test_route.c
check_unit_test_route_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_route_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_problem_SOURCES = check/unit/test_problem.c
check_unit_test_problem_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_problem_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_client_SOURCES = check/unit/test_client.c
check_unit_test_client_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_client_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_breaker check/unit/test_client_guard check/unit/test_retry
TESTS += check/unit/test_breaker check/unit/test_client_guard check/unit/test_retry

check_unit_test_breaker_SOURCES = check/unit/test_breaker.c
check_unit_test_breaker_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_breaker_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_retry_SOURCES = check/unit/test_retry.c
check_unit_test_retry_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_retry_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_client_guard_SOURCES = check/unit/test_client_guard.c
check_unit_test_client_guard_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_client_guard_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_instances check/unit/test_balancer check/unit/test_client_instances
TESTS += check/unit/test_instances check/unit/test_balancer check/unit/test_client_instances

check_unit_test_instances_SOURCES = check/unit/test_instances.c
check_unit_test_instances_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_instances_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_balancer_SOURCES = check/unit/test_balancer.c
check_unit_test_balancer_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_balancer_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_client_instances_SOURCES = check/unit/test_client_instances.c
check_unit_test_client_instances_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_client_instances_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)
