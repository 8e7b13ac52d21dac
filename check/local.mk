# The tests. Every test program speaks TAP, so that each case is counted; see check/harness/suite.h.

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' \
	TANDEM_REQUIRE='$(TANDEM_REQUIRE)'; export TANDEM_BUILDDIR TANDEM_SRCDIR TANDEM_REQUIRE;

if WITH_TESTS
include $(srcdir)/check/harness/local.mk
include $(srcdir)/check/unit/local.mk
include $(srcdir)/check/service/local.mk
include $(srcdir)/check/torture/local.mk
include $(srcdir)/check/fuzz/local.mk
include $(srcdir)/check/bench/local.mk
include $(srcdir)/check/tree/local.mk
include $(srcdir)/check/instrument/local.mk
endif

if !WITH_TESTS
check-local:
	@echo "This tree was configured with --disable-tests: there is nothing to run." >&2; exit 1
dist-hook:
	@echo "make dist needs a tree that was configured with its tests." >&2; exit 1
endif
