# The tests of apps/inventory.
check_LIBRARIES += check/unit/libinventoryfixture.a
check_unit_libinventoryfixture_a_SOURCES = check/unit/inventory_fixture.c check/unit/inventory_fixture.h
check_unit_libinventoryfixture_a_CPPFLAGS = $(CHECK_CPPFLAGS)
INVENTORY_TEST_LIBS = check/unit/libinventoryfixture.a $(HARNESS) $(SCRATCH) apps/inventory/libinventory.a \
	$(LIBS_STATE) $(CUNIT_LIBS)

inventory_tests = check/unit/test_inventory_events check/unit/test_inventory_examples \
	check/unit/test_inventory_stock check/unit/test_inventory_store
check_PROGRAMS += $(inventory_tests)
TESTS += $(inventory_tests)

check_unit_test_inventory_stock_SOURCES = check/unit/test_inventory_stock.c
check_unit_test_inventory_stock_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_inventory_stock_LDADD = $(INVENTORY_TEST_LIBS)

check_unit_test_inventory_store_SOURCES = check/unit/test_inventory_store.c
check_unit_test_inventory_store_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_inventory_store_LDADD = $(INVENTORY_TEST_LIBS)

check_unit_test_inventory_events_SOURCES = check/unit/test_inventory_events.c
check_unit_test_inventory_events_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_inventory_events_LDADD = check/unit/libinventoryfixture.a $(HARNESS) $(SCRATCH) $(LIBS_INVENTORY) \
	$(CUNIT_LIBS)

check_unit_test_inventory_examples_SOURCES = check/unit/test_inventory_examples.c
check_unit_test_inventory_examples_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_inventory_examples_LDADD = check/unit/libeventexamples.a check/unit/libinventoryfixture.a $(HARNESS) \
	$(SCRATCH) $(LIBS_INVENTORY) $(CUNIT_LIBS)
