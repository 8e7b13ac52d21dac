sbin_PROGRAMS += tandem-inventory
tandem_inventory_SOURCES = apps/inventory/main.c
tandem_inventory_LDADD = $(LIBS_INVENTORY)
dist_man_MANS += apps/inventory/tandem-inventory.8

# Everything but main(), so that the unit tests can stand on it.
noinst_LIBRARIES += apps/inventory/libinventory.a
apps_inventory_libinventory_a_SOURCES = \
	apps/inventory/events.c apps/inventory/events.h \
	apps/inventory/expiry.c apps/inventory/expiry.h \
	apps/inventory/inventory.h \
	apps/inventory/item.c apps/inventory/item.h \
	apps/inventory/item_cache.c apps/inventory/item_cache.h \
	apps/inventory/item_filter.c apps/inventory/item_filter.h \
	apps/inventory/routes.c apps/inventory/routes.h \
	apps/inventory/stock.c apps/inventory/stock.h \
	apps/inventory/store.c apps/inventory/store.h
nodist_apps_inventory_libinventory_a_SOURCES = apps/inventory/inventory_migrations.c
LIBS_INVENTORY = apps/inventory/libinventory.a $(LIBS_APP)

inventory_sql = apps/inventory/migrations/001_inventory.sql \
	apps/inventory/migrations/002_reservation_asked.sql apps/inventory/migrations/003_item_made.sql
EXTRA_DIST += $(inventory_sql)
BUILT_SOURCES += apps/inventory/inventory_migrations.c
CLEANFILES += apps/inventory/inventory_migrations.c
apps/inventory/inventory_migrations.c: $(inventory_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) inventory $(srcdir)/apps/inventory/migrations $@
