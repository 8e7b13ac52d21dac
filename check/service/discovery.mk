# The conformance suite of discovery, once for each kind of registry.

check_LIBRARIES += check/service/libregistrycases.a
check_service_libregistrycases_a_SOURCES = \
	check/harness/registry_consul.c \
	check/harness/registry_dns.c \
	check/harness/registry_etcd.c \
	check/harness/registry_static.c \
	check/service/registry_cases.c check/service/registry_cases.h
check_service_libregistrycases_a_CPPFLAGS = $(CHECK_CPPFLAGS)
LIBS_REGISTRY_TEST = check/service/libregistrycases.a $(HARNESS) $(LIBS_DISCOVERY) $(CUNIT_LIBS)

REGISTRY_TESTS = check/service/test_registry_static check/service/test_registry_dns check/service/test_registry_etcd \
	check/service/test_registry_etcd_tls check/service/test_registry_etcd_three check/service/test_registry_consul
check_PROGRAMS += $(REGISTRY_TESTS) check/service/test_registry_consul_real
TESTS += check/service/test_registry_static check/service/test_registry_dns check/service/test_registry_etcd \
	check/service/test_registry_consul

check_service_test_registry_static_SOURCES = check/service/test_registry.c
check_service_test_registry_static_CPPFLAGS = $(CHECK_CPPFLAGS) -DSERVER=registry_server_static
check_service_test_registry_static_LDADD = $(LIBS_REGISTRY_TEST)
check_service_test_registry_dns_SOURCES = check/service/test_registry.c
check_service_test_registry_dns_CPPFLAGS = $(CHECK_CPPFLAGS) -DSERVER=registry_server_dns
check_service_test_registry_dns_LDADD = $(LIBS_REGISTRY_TEST)
check_service_test_registry_etcd_SOURCES = check/service/test_registry.c
check_service_test_registry_etcd_CPPFLAGS = $(CHECK_CPPFLAGS) -DSERVER=registry_server_etcd
check_service_test_registry_etcd_LDADD = $(LIBS_REGISTRY_TEST)
check_service_test_registry_etcd_tls_SOURCES = check/service/test_registry.c
check_service_test_registry_etcd_tls_CPPFLAGS = $(CHECK_CPPFLAGS) -DSERVER=registry_server_etcd_tls
check_service_test_registry_etcd_tls_LDADD = $(LIBS_REGISTRY_TEST)
check_service_test_registry_etcd_three_SOURCES = check/service/test_registry.c
check_service_test_registry_etcd_three_CPPFLAGS = $(CHECK_CPPFLAGS) -DSERVER=registry_server_etcd_three
check_service_test_registry_etcd_three_LDADD = $(LIBS_REGISTRY_TEST)
check_service_test_registry_consul_SOURCES = check/service/test_registry.c
check_service_test_registry_consul_CPPFLAGS = $(CHECK_CPPFLAGS) -DSERVER=registry_server_consul
check_service_test_registry_consul_LDADD = $(LIBS_REGISTRY_TEST)
check_service_test_registry_consul_real_SOURCES = check/service/test_registry.c
check_service_test_registry_consul_real_CPPFLAGS = $(CHECK_CPPFLAGS) -DSERVER=registry_server_consul_real
check_service_test_registry_consul_real_LDADD = $(LIBS_REGISTRY_TEST)

# In full: crashes, lifetimes that pass, registries that are away. The table is then discovery-conformance.md.
CLEANFILES += discovery-conformance.md check/service/test_registry*.tap
PHONY_TARGETS += check-discovery update-discovery-conformance
check-discovery: $(REGISTRY_TESTS)
	status=0; for test in $(REGISTRY_TESTS); do \
		TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' REGISTRY_LONG=1 \
			$$test > $$test.tap || status=1; cat $$test.tap; \
	done; \
	$(srcdir)/check/harness/conformance.sh $(srcdir)/doc/conformance-discovery.md \
		$(srcdir)/check/service/test_registry.c $(REGISTRY_TESTS:=.tap) \
		> discovery-conformance.md; exit $$status

update-discovery-conformance: check-discovery
	cp discovery-conformance.md $(srcdir)/doc/conformance-discovery.md

# Two machines' worth of services, losing one thing after another under load; and one of them cut off.
check_LIBRARIES += check/service/libmachines.a
check_service_libmachines_a_SOURCES = \
	check/service/apart.c check/service/apart.h \
	check/service/machines.c check/service/machines.h \
	check/service/scale_load.c check/service/scale_load.h
check_service_libmachines_a_CPPFLAGS = $(CHECK_CPPFLAGS)
LIBS_MACHINES_TEST = check/service/libmachines.a check/service/libregistrycases.a $(HARNESS) $(LIBS_DISCOVERY) \
	$(CUNIT_LIBS)

check_PROGRAMS += check/service/test_scale_out check/service/test_cut_off
check_service_test_scale_out_SOURCES = check/service/test_scale_out.c
check_service_test_scale_out_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_scale_out_LDADD = $(LIBS_MACHINES_TEST)
check_service_test_cut_off_SOURCES = check/service/test_cut_off.c
check_service_test_cut_off_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_cut_off_LDADD = $(LIBS_MACHINES_TEST)

check_PROGRAMS += check/service/test_restart_registry check/service/test_dns_addresses
TESTS += check/service/test_restart_registry check/service/test_dns_addresses
check_service_test_dns_addresses_SOURCES = check/service/test_dns_addresses.c
check_service_test_dns_addresses_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_dns_addresses_LDADD = $(HARNESS) $(LIBS_DISCOVERY) $(CUNIT_LIBS)
check_service_test_restart_registry_SOURCES = check/service/test_restart_registry.c
check_service_test_restart_registry_CPPFLAGS = $(CHECK_CPPFLAGS)
check_service_test_restart_registry_LDADD = $(LIBS_MACHINES_TEST)

PHONY_TARGETS += check-scale-out
check-scale-out: all check/service/test_scale_out check/service/test_cut_off
	for test in test_scale_out test_cut_off; do \
		TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' ./check/service/$$test || exit; \
	done
