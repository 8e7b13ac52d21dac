# Torture: the system is killed at every moment, and audited. ROUNDS and SEED may be given; see torture.c.

# The auditor reads databases with nothing but SQLite and libpq, and shares no code with what it audits.
check_PROGRAMS += check/torture/auditor
check_torture_auditor_SOURCES = check/torture/auditor.c \
	check/torture/auditor_checks.c check/torture/auditor_checks.h \
	check/torture/auditor_journal.c check/torture/auditor_journal.h \
	check/torture/auditor_mirror.c check/torture/auditor_mirror.h
check_torture_auditor_LDADD = $(SQLITE_LIBS) $(POSTGRESQL_LIBS)

check_LIBRARIES += check/torture/libtorture.a
check_torture_libtorture_a_SOURCES = \
	check/torture/audit.c check/torture/audit.h \
	check/torture/chance.h \
	check/torture/customers.c check/torture/customers.h \
	check/torture/journal.c check/torture/journal.h \
	check/torture/trial.c check/torture/trial.h \
	check/torture/trial_gateway.c check/torture/trial_gateway.h \
	check/torture/witness.c check/torture/witness.h
check_torture_libtorture_a_CPPFLAGS = $(CHECK_CPPFLAGS)
LIBS_TORTURE = check/torture/libtorture.a $(HARNESS) $(LIBS_EVENTS) $(LIBS_NET) $(SQLITE_LIBS) $(CUNIT_LIBS)

TORTURE_TESTS = check/torture/test_auditor check/torture/test_recovery check/torture/torture check/torture/walk
check_PROGRAMS += $(TORTURE_TESTS)
TESTS += $(TORTURE_TESTS)

check_torture_test_auditor_SOURCES = check/torture/test_auditor.c
check_torture_test_auditor_CPPFLAGS = $(CHECK_CPPFLAGS)
check_torture_test_auditor_LDADD = $(LIBS_TORTURE) $(SQLITE_LIBS)

check_torture_test_recovery_SOURCES = check/torture/test_recovery.c
check_torture_test_recovery_CPPFLAGS = $(CHECK_CPPFLAGS)
check_torture_test_recovery_LDADD = $(LIBS_TORTURE)

check_torture_torture_SOURCES = check/torture/torture.c
check_torture_torture_CPPFLAGS = $(CHECK_CPPFLAGS)
check_torture_torture_LDADD = $(LIBS_TORTURE)

check_torture_walk_SOURCES = check/torture/walk.c
check_torture_walk_CPPFLAGS = $(CHECK_CPPFLAGS)
check_torture_walk_LDADD = $(LIBS_TORTURE)

# Many more rounds, and every commit, than make check has time for.
PHONY_TARGETS += torture torture-walk
torture: all check/torture/torture check/torture/auditor
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' ROUNDS=$${ROUNDS:-1000} \
		EXPIRE=$${EXPIRE:-$$(($${ROUNDS:-1000} / 10))} GATEWAY=$${GATEWAY:-$$(($${ROUNDS:-1000} / 10))} \
		./check/torture/torture
torture-walk: all check/torture/walk check/torture/auditor
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' COMMITS=$${COMMITS:-300} \
		VISITS=$${VISITS:-5} ./check/torture/walk
