# One program a module. To add one: a line in UNIT_TESTS and its three lines below.
include $(srcdir)/check/unit/net.mk
