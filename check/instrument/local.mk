# The tests with the programs under an instrument. Sanitizers and coverage have a build of their own, below this one,
# which is kept; what is given to make (TESTS, TANDEM_REQUIRE) holds there too. Not from a build in the source folder.

INSTRUMENT = $(MKDIR_P) "$$folder" && cd "$$folder" && \
	{ test -f Makefile || '$(abs_srcdir)/configure' --enable-werror "$$option"; }

PHONY_TARGETS += check-asan check-tsan check-valgrind coverage
EXTRA_DIST += check/instrument/coverage.sh

check-asan:
	folder=build-asan option=--with-sanitizers=address,undefined; $(INSTRUMENT) && $(MAKE) check

check-tsan:
	folder=build-tsan option=--with-sanitizers=thread; $(INSTRUMENT) && $(MAKE) check

# The services of the service tests: an error, a definite or a possible leak is a bad exit status, and fails the test.
check-valgrind:
	command -v valgrind && TANDEM_VALGRIND=1 $(MAKE) check TESTS='$(SERVICE_TESTS)'

coverage:
	folder=build-coverage option=--enable-coverage; $(INSTRUMENT) && \
	    { find . -name '*.gcda' -exec rm -f {} +; $(MAKE) check; status=$$?; \
	      '$(abs_srcdir)/check/instrument/coverage.sh' '$(abs_srcdir)' && exit $$status; }

clean-local:
	rm -rf build-asan build-tsan build-coverage
