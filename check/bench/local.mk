# make bench: figures, never a test. BENCH_ROUNDS and BENCH_SECONDS may be given, of which bench_observe has rounds of its
# own kind and number: OBSERVE_ROUNDS.

EXTRA_PROGRAMS += check/bench/bench
check_bench_bench_SOURCES = check/bench/bench.c \
	check/bench/bench_front.c check/bench/bench_front.h \
	check/bench/bench_orders.c check/bench/bench_orders.h \
	check/bench/load.c check/bench/load.h
check_bench_bench_CPPFLAGS = $(CHECK_CPPFLAGS)
check_bench_bench_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)

EXTRA_PROGRAMS += check/bench/bench_writers
check_bench_bench_writers_SOURCES = check/bench/bench_writers.c
check_bench_bench_writers_CPPFLAGS = $(CHECK_CPPFLAGS)
check_bench_bench_writers_LDADD = $(SCRATCH) $(HARNESS) $(LIBS_STATE) $(CUNIT_LIBS)
CLEANFILES += check/bench/bench check/bench/bench_writers

PHONY_TARGETS += bench
bench: all check/bench/bench check/bench/bench_writers check/bench/bench_observe
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' ./check/bench/bench
	./check/bench/bench_writers
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' ./check/bench/bench_observe

EXTRA_PROGRAMS += check/bench/bench_log
check_bench_bench_log_SOURCES = check/bench/bench_log.c check/bench/load.c check/bench/load.h
check_bench_bench_log_CPPFLAGS = $(CHECK_CPPFLAGS)
check_bench_bench_log_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS)
CLEANFILES += check/bench/bench_log

PHONY_TARGETS += bench-log
bench-log: all check/bench/bench_log
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' ./check/bench/bench_log

EXTRA_PROGRAMS += check/bench/bench_trace
check_bench_bench_trace_SOURCES = check/bench/bench_trace.c
check_bench_bench_trace_LDADD = $(LIBS_EVENTS)
CLEANFILES += check/bench/bench_trace

PHONY_TARGETS += bench-trace
bench-trace: check/bench/bench_trace
	./check/bench/bench_trace

EXTRA_PROGRAMS += check/bench/bench_observe
check_bench_bench_observe_SOURCES = check/bench/bench_observe.c check/bench/load.c check/bench/load.h \
	check/bench/bench_orders.c check/bench/bench_orders.h check/bench/turns.c check/bench/turns.h
check_bench_bench_observe_CPPFLAGS = $(CHECK_CPPFLAGS)
check_bench_bench_observe_LDADD = $(HARNESS) $(LIBS_NET) $(CUNIT_LIBS) -lm
CLEANFILES += check/bench/bench_observe

PHONY_TARGETS += bench-observe
bench-observe: all check/bench/bench_observe
	TANDEM_BUILDDIR='$(abs_top_builddir)' TANDEM_SRCDIR='$(abs_top_srcdir)' ./check/bench/bench_observe

EXTRA_PROGRAMS += check/bench/bench_postgresql
check_bench_bench_postgresql_SOURCES = check/bench/bench_postgresql.c check/bench/load.c check/bench/load.h
check_bench_bench_postgresql_CPPFLAGS = $(CHECK_CPPFLAGS)
check_bench_bench_postgresql_LDADD = $(HARNESS) $(LIBS_ORDER) $(CUNIT_LIBS)
CLEANFILES += check/bench/bench_postgresql

PHONY_TARGETS += bench-postgresql
bench-postgresql: check/bench/bench_postgresql
	./check/bench/bench_postgresql

EXTRA_PROGRAMS += check/bench/bench_cache
check_bench_bench_cache_SOURCES = check/bench/bench_cache.c
check_bench_bench_cache_LDADD = $(LIBS_CACHE)
CLEANFILES += check/bench/bench_cache

# Instructions of a hit: of many hits less those of none, divided.
PHONY_TARGETS += bench-cache
bench-cache: check/bench/bench_cache
	./check/bench/bench_cache
	@if command -v valgrind >/dev/null; then \
		count() { valgrind --tool=callgrind --callgrind-out-file=/dev/null ./check/bench/bench_cache hits $$1 2>&1 | \
			sed -n 's/.*Collected : //p'; }; \
		few=$$(count 1000) many=$$(count 101000); \
		echo "a hit: $$(( (many - few) / 100000 )) instructions (callgrind)"; \
	fi
