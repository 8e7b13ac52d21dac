sbin_PROGRAMS += tandem-user
tandem_user_SOURCES = apps/user/main.c
tandem_user_LDADD = $(LIBS_USER)
dist_man_MANS += apps/user/tandem-user.8

# Everything but main(), so that the unit tests and tandemctl can stand on it.
noinst_LIBRARIES += apps/user/libuser.a
apps_user_libuser_a_SOURCES = \
	apps/user/account.c apps/user/account.h \
	apps/user/app.h \
	apps/user/attempts.c apps/user/attempts.h \
	apps/user/events.c apps/user/events.h \
	apps/user/password.c apps/user/password.h \
	apps/user/routes.c apps/user/routes.h \
	apps/user/routes_account.c \
	apps/user/routes_attempts.c \
	apps/user/routes_password.c \
	apps/user/routes_session.c \
	apps/user/store.c apps/user/store.h \
	apps/user/store_session.c
nodist_apps_user_libuser_a_SOURCES = apps/user/user_migrations.c
LIBS_USER = apps/user/libuser.a $(LIBS_APP)

user_sql = apps/user/migrations/001_accounts.sql
EXTRA_DIST += $(user_sql)
BUILT_SOURCES += apps/user/user_migrations.c
CLEANFILES += apps/user/user_migrations.c
apps/user/user_migrations.c: $(user_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) user $(srcdir)/apps/user/migrations $@
