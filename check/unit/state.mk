check_LIBRARIES += check/unit/libscratch.a
check_unit_libscratch_a_SOURCES = check/unit/engines.c check/unit/engines.h check/unit/scratch.c check/unit/scratch.h
check_unit_libscratch_a_CPPFLAGS = $(CHECK_CPPFLAGS)
SCRATCH = check/unit/libscratch.a $(HARNESS)

check_PROGRAMS += check/unit/test_db check/unit/test_db_durable check/unit/test_db_faults \
	check/unit/test_db_statement check/unit/test_migrate check/unit/test_turn
TESTS += check/unit/test_db check/unit/test_db_durable check/unit/test_db_faults \
	check/unit/test_db_statement check/unit/test_migrate check/unit/test_turn

check_unit_test_db_SOURCES = check/unit/test_db.c
check_unit_test_db_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_db_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_db_durable_SOURCES = check/unit/test_db_durable.c
check_unit_test_db_durable_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_db_durable_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_db_faults_SOURCES = check/unit/test_db_faults.c
check_unit_test_db_faults_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_db_faults_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_db_statement_SOURCES = check/unit/test_db_statement.c
check_unit_test_db_statement_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_db_statement_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_migrate_SOURCES = check/unit/test_migrate.c
check_unit_test_migrate_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_migrate_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_turn_SOURCES = check/unit/test_turn.c
check_unit_test_turn_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_turn_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_backup check/unit/test_db_unaltered
TESTS += check/unit/test_backup check/unit/test_db_unaltered

check_unit_test_backup_SOURCES = check/unit/test_backup.c
check_unit_test_backup_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_backup_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_unit_test_db_unaltered_SOURCES = check/unit/test_db_unaltered.c
check_unit_test_db_unaltered_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_db_unaltered_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_db_postgres
TESTS += check/unit/test_db_postgres

check_unit_test_db_postgres_SOURCES = check/unit/test_db_postgres.c
check_unit_test_db_postgres_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_db_postgres_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_STATE) $(CUNIT_LIBS)

# What holds on both engines: db-conformance.md is what these programs said.
ENGINE_TESTS = check/unit/test_db check/unit/test_db_statement check/unit/test_migrate check/unit/test_schema \
	check/unit/test_outbox check/unit/test_relay check/unit/test_consumer check/unit/test_dead_letter \
	check/unit/test_background check/unit/test_idempotency check/unit/test_user_store check/unit/test_order_store \
	check/unit/test_order_place check/unit/test_order_events check/unit/test_order_stuck \
	check/unit/test_payment_worker check/unit/test_inventory_store check/unit/test_inventory_stock \
	check/unit/test_inventory_events
EXTRA_DIST += check/unit/db_conformance.sh
CLEANFILES += db-conformance.md check/unit/test_*.tap
PHONY_TARGETS += check-db update-db-conformance
check-db: $(ENGINE_TESTS)
	status=0; for test in $(ENGINE_TESTS); do \
		TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' TANDEM_REQUIRE=1 \
			./$$test > $$test.tap || status=1; cat $$test.tap; \
	done; \
	$(srcdir)/check/unit/db_conformance.sh $(ENGINE_TESTS:=.tap) > db-conformance.md; exit $$status

update-db-conformance: check-db
	cp db-conformance.md $(srcdir)/doc/conformance-db.md
