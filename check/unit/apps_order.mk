# The tests of apps/order.
check_LIBRARIES += check/unit/liborderfixture.a
check_unit_liborderfixture_a_SOURCES = check/unit/order_fixture.c check/unit/order_fixture.h \
	check/unit/payment_fixture.c check/unit/payment_fixture.h
check_unit_liborderfixture_a_CPPFLAGS = $(CHECK_CPPFLAGS)
ORDER_TEST_LIBS = check/unit/liborderfixture.a $(HARNESS) $(SCRATCH) $(LIBS_ORDER) $(CUNIT_LIBS)

order_tests = \
	check/unit/test_order_events \
	check/unit/test_order_examples \
	check/unit/test_order_place \
	check/unit/test_order_store \
	check/unit/test_order_stuck \
	check/unit/test_order_workflow \
	check/unit/test_payment_sandbox \
	check/unit/test_payment_stripe \
	check/unit/test_payment_stripe_answer \
	check/unit/test_payment_stripe_notice \
	check/unit/test_payment_worker check/unit/test_payment_worker_trouble
check_PROGRAMS += $(order_tests)
TESTS += $(order_tests)

check_unit_test_order_place_SOURCES = check/unit/test_order_place.c
check_unit_test_order_place_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_order_place_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_order_store_SOURCES = check/unit/test_order_store.c
check_unit_test_order_store_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_order_store_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_order_stuck_SOURCES = check/unit/test_order_stuck.c
check_unit_test_order_stuck_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_order_stuck_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_order_workflow_SOURCES = check/unit/test_order_workflow.c
check_unit_test_order_workflow_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_order_workflow_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_payment_sandbox_SOURCES = check/unit/test_payment_sandbox.c
check_unit_test_payment_sandbox_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_payment_sandbox_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_payment_stripe_SOURCES = check/unit/test_payment_stripe.c
check_unit_test_payment_stripe_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_payment_stripe_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_payment_stripe_answer_SOURCES = check/unit/test_payment_stripe_answer.c
check_unit_test_payment_stripe_answer_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_payment_stripe_answer_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_payment_stripe_notice_SOURCES = check/unit/test_payment_stripe_notice.c
check_unit_test_payment_stripe_notice_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_payment_stripe_notice_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_payment_worker_SOURCES = check/unit/test_payment_worker.c
check_unit_test_payment_worker_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_payment_worker_LDADD = $(ORDER_TEST_LIBS)
check_unit_test_payment_worker_trouble_SOURCES = check/unit/test_payment_worker_trouble.c
check_unit_test_payment_worker_trouble_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_payment_worker_trouble_LDADD = $(ORDER_TEST_LIBS)

check_unit_test_order_events_SOURCES = check/unit/test_order_events.c
check_unit_test_order_events_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_order_events_LDADD = check/unit/liborderfixture.a $(HARNESS) $(SCRATCH) $(LIBS_ORDER) $(CUNIT_LIBS)

check_unit_test_order_examples_SOURCES = check/unit/test_order_examples.c
check_unit_test_order_examples_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_order_examples_LDADD = check/unit/libeventexamples.a check/unit/liborderfixture.a $(HARNESS) $(SCRATCH) \
	$(LIBS_ORDER) $(CUNIT_LIBS)

# tandemctl knows the databases of all services.
check_PROGRAMS += check/unit/test_ctl_db
TESTS += check/unit/test_ctl_db
check_unit_test_ctl_db_SOURCES = check/unit/test_ctl_db.c check/unit/ctl_program.c check/unit/ctl_program.h
check_unit_test_ctl_db_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_ctl_db_LDADD = $(HARNESS) $(SCRATCH) apps/order/liborder.a apps/inventory/libinventory.a $(LIBS_USER) \
	$(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_ctl_db_copy
TESTS += check/unit/test_ctl_db_copy
check_unit_test_ctl_db_copy_SOURCES = check/unit/test_ctl_db_copy.c check/unit/ctl_program.c check/unit/ctl_program.h
check_unit_test_ctl_db_copy_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_ctl_db_copy_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_USER) $(SQLITE_LIBS) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_db_copy
TESTS += check/unit/test_db_copy
check_unit_test_db_copy_SOURCES = check/unit/test_db_copy.c check/unit/order_filling.c check/unit/order_filling.h
check_unit_test_db_copy_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_db_copy_LDADD = $(HARNESS) $(SCRATCH) $(LIBS_ORDER) $(CUNIT_LIBS)

# As many orders as are asked for, there and back; the figures are printed.
PHONY_TARGETS += check-db-copy
ROWS = 100000
check-db-copy: check/unit/test_db_copy
	ROWS=$(ROWS) TANDEM_ONLY='and back on SQLite' ./check/unit/test_db_copy

check_PROGRAMS += check/unit/test_ctl_events
TESTS += check/unit/test_ctl_events
check_unit_test_ctl_events_SOURCES = check/unit/test_ctl_events.c check/unit/ctl_program.c check/unit/ctl_program.h
check_unit_test_ctl_events_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_ctl_events_LDADD = check/unit/libevents_fixture.a $(HARNESS) $(SCRATCH) apps/order/liborder.a \
	apps/inventory/libinventory.a $(LIBS_USER) $(CUNIT_LIBS)

check_PROGRAMS += check/unit/test_schema
TESTS += check/unit/test_schema
check_unit_test_schema_SOURCES = check/unit/test_schema.c
check_unit_test_schema_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_schema_LDADD = $(HARNESS) $(SCRATCH) apps/order/liborder.a apps/inventory/libinventory.a $(LIBS_USER) \
	$(CUNIT_LIBS)
