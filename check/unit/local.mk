# One program a module; a makefile for each layer.
include $(srcdir)/check/unit/app.mk
include $(srcdir)/check/unit/base.mk
include $(srcdir)/check/unit/cache.mk
include $(srcdir)/check/unit/conf.mk
include $(srcdir)/check/unit/discovery.mk
include $(srcdir)/check/unit/events.mk
include $(srcdir)/check/unit/net.mk
include $(srcdir)/check/unit/state.mk
include $(srcdir)/check/unit/telemetry.mk
include $(srcdir)/check/unit/apps_user.mk
include $(srcdir)/check/unit/fcgi.mk
include $(srcdir)/check/unit/apps_order.mk
include $(srcdir)/check/unit/apps_inventory.mk
include $(srcdir)/check/unit/apps_saga.mk
