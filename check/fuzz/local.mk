# Fuzz targets: `make check` replays each one's corpus, `make fuzz` lets libFuzzer look further for FUZZ_SECONDS each.
# To add one: three lines for the program, its name in check_PROGRAMS and TESTS, two for libFuzzer, and corpus/NAME.

FUZZ_SECONDS = 30
FUZZ_RUN = FUZZ_SECONDS='$(FUZZ_SECONDS)' $(SHELL) $(srcdir)/check/fuzz/run.sh $(srcdir)
FUZZ_FLAGS = $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS)
FUZZ_REPLAY = check/fuzz/replay.c check/fuzz/fuzz.h

check_PROGRAMS += check/fuzz/fuzz_json check/fuzz/fuzz_fcgi_parser check/fuzz/fuzz_otlp
TESTS += check/fuzz/fuzz_json check/fuzz/fuzz_fcgi_parser check/fuzz/fuzz_otlp
EXTRA_DIST += check/fuzz/run.sh check/fuzz/corpus

check_fuzz_fuzz_json_SOURCES = check/fuzz/fuzz_json.c $(FUZZ_REPLAY)
check_fuzz_fuzz_json_CPPFLAGS = $(CHECK_CPPFLAGS)
check_fuzz_fuzz_json_LDADD = $(LIBS_BASE)
fuzz-json:
	$(FUZZ_RUN) json $(FUZZ_FLAGS) $(shared_base_libbase_a_SOURCES) $(JSONC_LIBS) $(SODIUM_LIBS) -lm

check_fuzz_fuzz_fcgi_parser_SOURCES = check/fuzz/fuzz_fcgi_parser.c $(FUZZ_REPLAY)
check_fuzz_fuzz_fcgi_parser_CPPFLAGS = $(CHECK_CPPFLAGS)
check_fuzz_fuzz_fcgi_parser_LDADD = $(LIBS_NET)
FUZZ_FCGI_FILES = shared/net/fcgi_parser.c shared/net/fcgi_inbound.c shared/net/fcgi_wire.c shared/net/http.c
fuzz-fcgi-parser:
	$(FUZZ_RUN) fcgi_parser $(FUZZ_FLAGS) $(FUZZ_FCGI_FILES) $(shared_base_libbase_a_SOURCES) \
		$(JSONC_LIBS) $(SODIUM_LIBS) -lm

check_fuzz_fuzz_otlp_SOURCES = check/fuzz/fuzz_otlp.c $(FUZZ_REPLAY)
check_fuzz_fuzz_otlp_CPPFLAGS = $(CHECK_CPPFLAGS)
check_fuzz_fuzz_otlp_LDADD = $(LIBS_TELEMETRY)
FUZZ_OTLP_FILES = shared/telemetry/otlp.c shared/telemetry/otlp_protobuf.c shared/telemetry/otlp_json.c
fuzz-otlp:
	$(FUZZ_RUN) otlp $(FUZZ_FLAGS) $(FUZZ_OTLP_FILES) $(shared_base_libbase_a_SOURCES) $(JSONC_LIBS) $(SODIUM_LIBS) -lm

if WITH_REDIS
check_PROGRAMS += check/fuzz/fuzz_redis_replies
TESTS += check/fuzz/fuzz_redis_replies
check_fuzz_fuzz_redis_replies_SOURCES = check/fuzz/fuzz_redis_replies.c $(FUZZ_REPLAY)
check_fuzz_fuzz_redis_replies_CPPFLAGS = $(CHECK_CPPFLAGS)
check_fuzz_fuzz_redis_replies_LDADD = $(LIBS_CACHE)
FUZZ_REDIS = fuzz-redis-replies
endif
FUZZ_REDIS_FILES = shared/cache/redis_replies.c shared/cache/remote_record.c
fuzz-redis-replies:
	$(FUZZ_RUN) redis_replies $(FUZZ_FLAGS) $(FUZZ_REDIS_FILES) $(shared_base_libbase_a_SOURCES) \
		$(REDIS_LIBS) $(JSONC_LIBS) $(SODIUM_LIBS) -lm

PHONY_TARGETS += fuzz fuzz-json fuzz-fcgi-parser fuzz-otlp fuzz-redis-replies
fuzz: fuzz-json fuzz-fcgi-parser fuzz-otlp $(FUZZ_REDIS)

mostlyclean-local:
	rm -rf build-fuzz
