check_PROGRAMS += check/unit/test_user_account check/unit/test_user_store check/unit/test_ctl \
	check/unit/test_ctl_accounts check/unit/test_life check/unit/test_supervise
TESTS += check/unit/test_user_account check/unit/test_user_store check/unit/test_ctl \
	check/unit/test_ctl_accounts check/unit/test_life check/unit/test_supervise

check_unit_test_user_account_SOURCES = check/unit/test_user_account.c
check_unit_test_user_account_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_user_account_LDADD = $(HARNESS) $(LIBS_USER) $(CUNIT_LIBS)

check_unit_test_user_store_SOURCES = check/unit/test_user_store.c
check_unit_test_user_store_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_user_store_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_USER) $(CUNIT_LIBS)

check_unit_test_ctl_SOURCES = check/unit/test_ctl.c check/unit/ctl_program.c check/unit/ctl_program.h
check_unit_test_ctl_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_ctl_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_ctl_accounts_SOURCES = check/unit/test_ctl_accounts.c check/unit/ctl_program.c \
	check/unit/ctl_program.h
check_unit_test_ctl_accounts_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_ctl_accounts_LDADD = $(HARNESS) $(LIBS_NET) $(SQLITE_LIBS) $(CUNIT_LIBS)

check_unit_test_life_SOURCES = check/unit/test_life.c check/unit/ctl_program.c check/unit/ctl_program.h
check_unit_test_life_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_life_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_unit_test_supervise_SOURCES = check/unit/test_supervise.c check/unit/ctl_program.c check/unit/ctl_program.h
check_unit_test_supervise_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_supervise_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_user_attempts
TESTS += check/unit/test_user_attempts

check_unit_test_user_attempts_SOURCES = check/unit/test_user_attempts.c
check_unit_test_user_attempts_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_user_attempts_LDADD = $(HARNESS) $(LIBS_USER) $(CUNIT_LIBS)
