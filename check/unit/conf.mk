CONF_TESTS = check/unit/test_conf check/unit/test_conf_layers check/unit/test_current check/unit/test_signature \
	check/unit/test_watch
check_PROGRAMS += $(CONF_TESTS)
TESTS += $(CONF_TESTS)

check_unit_test_conf_SOURCES = check/unit/test_conf.c
check_unit_test_conf_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_conf_LDADD = $(HARNESS) $(LIBS_CONF) $(CUNIT_LIBS)

check_unit_test_conf_layers_SOURCES = check/unit/test_conf_layers.c
check_unit_test_conf_layers_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_conf_layers_LDADD = $(HARNESS) $(LIBS_CONF) $(CUNIT_LIBS)

check_unit_test_current_SOURCES = check/unit/test_current.c
check_unit_test_current_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_current_LDADD = $(HARNESS) $(LIBS_CONF) $(CUNIT_LIBS)

check_unit_test_signature_SOURCES = check/unit/test_signature.c
check_unit_test_signature_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_signature_LDADD = $(HARNESS) $(LIBS_CONF) $(CUNIT_LIBS)

check_unit_test_watch_SOURCES = check/unit/test_watch.c
check_unit_test_watch_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_watch_LDADD = $(HARNESS) $(LIBS_CONF) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_conf_alias
TESTS += check/unit/test_conf_alias
check_unit_test_conf_alias_SOURCES = check/unit/test_conf_alias.c
check_unit_test_conf_alias_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_conf_alias_LDADD = $(HARNESS) $(LIBS_CONF) $(CUNIT_LIBS)
