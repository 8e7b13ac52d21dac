check_PROGRAMS += check/unit/test_conf
TESTS += check/unit/test_conf

check_unit_test_conf_SOURCES = check/unit/test_conf.c
check_unit_test_conf_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_conf_LDADD = $(HARNESS) $(LIBS_CONF) $(CUNIT_LIBS)
