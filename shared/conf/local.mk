noinst_LIBRARIES += shared/conf/libconf.a
shared_conf_libconf_a_SOURCES = \
	shared/conf/current.c shared/conf/current.h \
	shared/conf/debounce.c shared/conf/debounce.h \
	shared/conf/option.c shared/conf/option.h \
	shared/conf/option_alias.c shared/conf/option_alias.h \
	shared/conf/option_pages.c shared/conf/option_pages.h \
	shared/conf/option_pages_faults.c \
	shared/conf/option_table.c shared/conf/option_table.h \
	shared/conf/secret_file.c shared/conf/secret_file.h \
	shared/conf/settings.c shared/conf/settings.h shared/conf/settings_private.h \
	shared/conf/settings_adopt.c \
	shared/conf/settings_check.c \
	shared/conf/settings_file.c \
	shared/conf/settings_print.c \
	shared/conf/signature.c shared/conf/signature.h shared/conf/signature_private.h \
	shared/conf/signature_make.c shared/conf/signature_make.h \
	shared/conf/source.c shared/conf/source.h \
	shared/conf/watch.c shared/conf/watch.h
