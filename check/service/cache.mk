# The conformance suite of cache/cache.h: one program for each kind of cache, of the same cases.

check_LIBRARIES += check/service/libcachecases.a
check_service_libcachecases_a_SOURCES = \
	check/service/cache_cases.h \
	check/service/cache_cases_filter.c \
	check/service/cache_cases_keep.c \
	check/service/cache_cases_load.c \
	check/service/cache_world.c check/service/cache_world.h
if WITH_REDIS
check_service_libcachecases_a_SOURCES += \
	check/service/cache_cases_cluster.c \
	check/service/cache_cases_shared.c \
	check/service/cache_traffic.c check/service/cache_traffic.h
endif
check_service_libcachecases_a_CPPFLAGS = $(CHECK_CPPFLAGS)
LIBS_CACHE_TEST = check/service/libcachecases.a $(HARNESS) $(LIBS_CACHE) $(CUNIT_LIBS)

CACHE_TESTS = check/service/test_cache check/service/test_cache_redis check/service/test_cache_redis_tls
CACHE_TESTS_CLUSTER = check/service/test_cache_cluster check/service/test_cache_cluster_tls
CACHE_TESTS_ALL = $(CACHE_TESTS) $(CACHE_TESTS_CLUSTER)
check_PROGRAMS += $(CACHE_TESTS)
TESTS += $(CACHE_TESTS)
EXTRA_PROGRAMS += $(CACHE_TESTS_CLUSTER)
CLEANFILES += $(CACHE_TESTS_CLUSTER)

check_service_test_cache_SOURCES = check/service/test_cache.c check/service/cache_worlds.c
check_service_test_cache_CPPFLAGS = $(CHECK_CPPFLAGS) -DWORLD=world_memory
check_service_test_cache_LDADD = $(LIBS_CACHE_TEST)
check_service_test_cache_redis_SOURCES = check/service/test_cache.c check/service/cache_worlds.c
check_service_test_cache_redis_CPPFLAGS = $(CHECK_CPPFLAGS) -DWORLD=world_redis
check_service_test_cache_redis_LDADD = $(LIBS_CACHE_TEST)
check_service_test_cache_redis_tls_SOURCES = check/service/test_cache.c check/service/cache_worlds.c
check_service_test_cache_redis_tls_CPPFLAGS = $(CHECK_CPPFLAGS) -DWORLD=world_redis_tls
check_service_test_cache_redis_tls_LDADD = $(LIBS_CACHE_TEST)
check_service_test_cache_cluster_SOURCES = check/service/test_cache.c check/service/cache_worlds.c
check_service_test_cache_cluster_CPPFLAGS = $(CHECK_CPPFLAGS) -DWORLD=world_redis_cluster
check_service_test_cache_cluster_LDADD = $(LIBS_CACHE_TEST)
check_service_test_cache_cluster_tls_SOURCES = check/service/test_cache.c check/service/cache_worlds.c
check_service_test_cache_cluster_tls_CPPFLAGS = $(CHECK_CPPFLAGS) -DWORLD=world_redis_cluster_tls
check_service_test_cache_cluster_tls_LDADD = $(LIBS_CACHE_TEST)

# Links to servers that speak TLS.
if WITH_REDIS
if WITH_OPENSSL
check_PROGRAMS += check/service/test_redis_tls
TESTS += check/service/test_redis_tls
check_service_test_redis_tls_SOURCES = check/service/test_redis_tls.c
check_service_test_redis_tls_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_redis_tls_LDADD = $(HARNESS) $(LIBS_CACHE) $(CUNIT_LIBS)
endif
endif

# Items in the memory of several processes.
check_PROGRAMS += check/service/test_item_cache
TESTS += check/service/test_item_cache
check_service_test_item_cache_SOURCES = check/service/test_item_cache.c
check_service_test_item_cache_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_item_cache_LDADD = $(LIBS_SERVICE_TEST)

# Items that are not there: as a rule, on PostgreSQL, and when there are too many that are.
ABSENT_ITEMS_TESTS = check/service/test_absent_items check/service/test_absent_items_full \
	check/service/test_absent_items_postgresql
check_PROGRAMS += $(ABSENT_ITEMS_TESTS)
TESTS += $(ABSENT_ITEMS_TESTS)
check_service_test_absent_items_full_SOURCES = check/service/test_absent_items.c
check_service_test_absent_items_full_CPPFLAGS = $(CHECK_CPPFLAGS) -DFULL=1
check_service_test_absent_items_full_LDADD = $(LIBS_SERVICE_TEST) $(SQLITE_LIBS)
check_service_test_absent_items_postgresql_SOURCES = check/service/test_absent_items.c
check_service_test_absent_items_postgresql_CPPFLAGS = $(CHECK_CPPFLAGS) -DON_POSTGRESQL=1
check_service_test_absent_items_postgresql_LDADD = $(LIBS_SERVICE_TEST) $(SQLITE_LIBS)
check_service_test_absent_items_SOURCES = check/service/test_absent_items.c
check_service_test_absent_items_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_absent_items_LDADD = $(LIBS_SERVICE_TEST) $(SQLITE_LIBS)

# Services that share what they know of tokens: in check-cache.
if WITH_REDIS
EXTRA_PROGRAMS += check/service/test_sign_out_redis
CLEANFILES += check/service/test_sign_out_redis
CACHE_SERVICE_TESTS = check/service/test_sign_out_redis
check_service_test_sign_out_redis_SOURCES = check/service/test_sign_out.c
check_service_test_sign_out_redis_CPPFLAGS = $(CHECK_CPPFLAGS) -DTEST_REDIS=1
check_service_test_sign_out_redis_LDADD = $(LIBS_SERVICE_TEST) $(REDIS_LIBS)
endif

# With a cluster, for which make check has no time. The table is then cache-conformance.md.
CLEANFILES += cache-conformance.md check/service/test_cache*.tap
PHONY_TARGETS += check-cache update-cache-conformance
check-cache: all $(CACHE_TESTS_ALL) $(CACHE_SERVICE_TESTS)
	status=0; for test in $(CACHE_TESTS_ALL); do \
		TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' $$test > $$test.tap || status=1; \
		cat $$test.tap; \
	done; \
	$(srcdir)/check/harness/conformance.sh $(srcdir)/doc/conformance-cache.md \
		$(srcdir)/check/service/test_cache.c $(CACHE_TESTS_ALL:=.tap) \
		> cache-conformance.md; \
	for test in $(CACHE_SERVICE_TESTS); do \
		TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' $$test || status=1; \
	done; exit $$status

# Its last case compares the table with what it was before.
update-cache-conformance:
	$(MAKE) check-cache || true
	cp cache-conformance.md $(srcdir)/doc/conformance-cache.md
	$(MAKE) check-cache
	cp cache-conformance.md $(srcdir)/doc/conformance-cache.md
