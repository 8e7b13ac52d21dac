# The way of an order through both of its services. Inventory's sources are compiled once more, since some of its names are
# order's as well.
check_LIBRARIES += check/unit/libsagainventory.a
check_unit_libsagainventory_a_SOURCES = \
	apps/inventory/events.c apps/inventory/item.c apps/inventory/item_cache.c apps/inventory/stock.c apps/inventory/store.c \
	check/unit/saga_inventory.c check/unit/saga_sides.h
check_unit_libsagainventory_a_CPPFLAGS = $(CHECK_CPPFLAGS) \
	-Dstore_item_find=inventory_item_find -Dstore_item_put=inventory_item_put

check_PROGRAMS += check/unit/test_saga
TESTS += check/unit/test_saga
check_unit_test_saga_SOURCES = \
	check/unit/saga.c check/unit/saga.h \
	check/unit/saga_order.c \
	check/unit/saga_seen.c check/unit/saga_seen.h \
	check/unit/test_saga.c
check_unit_test_saga_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_saga_LDADD = check/unit/libsagainventory.a apps/inventory/libinventory.a $(HARNESS) $(SCRATCH) \
	$(LIBS_ORDER) $(CUNIT_LIBS)
