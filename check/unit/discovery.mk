check_PROGRAMS += check/unit/test_discovery
TESTS += check/unit/test_discovery

check_unit_test_discovery_SOURCES = check/unit/test_discovery.c
check_unit_test_discovery_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_discovery_LDADD = $(HARNESS) $(LIBS_DISCOVERY) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_discovery_formats check/unit/test_discovery_remembered check/unit/test_ctl_front
TESTS += check/unit/test_discovery_formats check/unit/test_discovery_remembered check/unit/test_ctl_front

check_unit_test_discovery_remembered_SOURCES = check/unit/test_discovery_remembered.c
check_unit_test_discovery_remembered_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_discovery_remembered_LDADD = $(HARNESS) $(LIBS_DISCOVERY) $(CUNIT_LIBS)

check_unit_test_discovery_formats_SOURCES = check/unit/test_discovery_formats.c
check_unit_test_discovery_formats_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_discovery_formats_LDADD = $(HARNESS) $(LIBS_DISCOVERY) $(CUNIT_LIBS)

check_unit_test_ctl_front_SOURCES = check/unit/test_ctl_front.c check/unit/ctl_program.c check/unit/ctl_program.h
check_unit_test_ctl_front_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_ctl_front_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)
