# The tests of shared/base.
check_PROGRAMS += check/unit/test_arena \
	check/unit/test_buf \
	check/unit/test_clock \
	check/unit/test_decimal \
	check/unit/test_err \
	check/unit/test_fault \
	check/unit/test_fence \
	check/unit/test_hex \
	check/unit/test_id \
	check/unit/test_json \
	check/unit/test_json_read \
	check/unit/test_json_write \
	check/unit/test_money \
	check/unit/test_text
TESTS += check/unit/test_arena \
	check/unit/test_buf \
	check/unit/test_clock \
	check/unit/test_decimal \
	check/unit/test_err \
	check/unit/test_fault \
	check/unit/test_fence \
	check/unit/test_hex \
	check/unit/test_id \
	check/unit/test_json \
	check/unit/test_json_read \
	check/unit/test_json_write \
	check/unit/test_money \
	check/unit/test_text

check_unit_test_arena_SOURCES = check/unit/test_arena.c
check_unit_test_arena_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_arena_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_buf_SOURCES = check/unit/test_buf.c
check_unit_test_buf_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_buf_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_clock_SOURCES = check/unit/test_clock.c
check_unit_test_clock_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_clock_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_err_SOURCES = check/unit/test_err.c
check_unit_test_err_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_err_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_fault_SOURCES = check/unit/test_fault.c
check_unit_test_fault_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_fault_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_fence_SOURCES = check/unit/test_fence.c
check_unit_test_fence_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_fence_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_decimal_SOURCES = check/unit/test_decimal.c
check_unit_test_decimal_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_decimal_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_hex_SOURCES = check/unit/test_hex.c
check_unit_test_hex_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_hex_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_id_SOURCES = check/unit/test_id.c
check_unit_test_id_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_id_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_json_SOURCES = check/unit/test_json.c
check_unit_test_json_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_json_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_json_read_SOURCES = check/unit/test_json_read.c
check_unit_test_json_read_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_json_read_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_json_write_SOURCES = check/unit/test_json_write.c
check_unit_test_json_write_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_json_write_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_money_SOURCES = check/unit/test_money.c
check_unit_test_money_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_money_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)

check_unit_test_text_SOURCES = check/unit/test_text.c
check_unit_test_text_CPPFLAGS = $(CHECK_CPPFLAGS)
check_unit_test_text_LDADD = $(HARNESS) $(LIBS_BASE) $(CUNIT_LIBS)
