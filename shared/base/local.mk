noinst_LIBRARIES += shared/base/libbase.a
shared_base_libbase_a_SOURCES = \
	shared/base/arena.c shared/base/arena.h \
	shared/base/buf.c shared/base/buf.h \
	shared/base/clock.c shared/base/clock.h \
	shared/base/decimal.c shared/base/decimal.h \
	shared/base/err.c shared/base/err.h \
	shared/base/fault.c shared/base/fault.h \
	shared/base/fence.c shared/base/fence.h \
	shared/base/hex.c shared/base/hex.h \
	shared/base/id.c shared/base/id.h \
	shared/base/json.c shared/base/json.h \
	shared/base/json_check.c \
	shared/base/json_document.h \
	shared/base/json_plain.h \
	shared/base/json_read.c \
	shared/base/json_write.c shared/base/json_write.h \
	shared/base/money.c shared/base/money.h \
	shared/base/secret.h \
	shared/base/text.c shared/base/text.h \
	shared/base/utf8.h
