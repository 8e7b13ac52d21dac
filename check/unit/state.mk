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
