noinst_LIBRARIES += shared/conf/libconf.a
shared_conf_libconf_a_SOURCES = \
	shared/conf/option.c shared/conf/option.h \
	shared/conf/option_pages.c shared/conf/option_pages.h \
	shared/conf/option_table.c \
	shared/conf/settings.c shared/conf/settings.h \
	shared/conf/settings_file.c shared/conf/settings_private.h
