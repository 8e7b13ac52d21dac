noinst_LIBRARIES += shared/state/libstate.a
shared_state_libstate_a_SOURCES = \
	shared/state/backup.c shared/state/backup.h \
	shared/state/copy.c shared/state/copy.h \
	shared/state/db.c shared/state/db.h shared/state/db_private.h \
	shared/state/db_batch.c \
	shared/state/db_engine.c shared/state/db_engine.h \
	shared/state/db_listener.c \
	shared/state/db_sqlite.c shared/state/db_sqlite.h \
	shared/state/db_sqlite_checkpoint.c \
	shared/state/db_sqlite_connection.c \
	shared/state/db_sqlite_lease.c \
	shared/state/db_sqlite_statement.c \
	shared/state/db_statement.c \
	shared/state/db_writer.c \
	shared/state/maintain.c shared/state/maintain.h \
	shared/state/migrate.c shared/state/migrate.h shared/state/migrate_private.h \
	shared/state/table.c shared/state/table.h \
	shared/state/table_digest.c shared/state/table_digest.h \
	shared/state/table_rows.c shared/state/table_rows.h \
	shared/state/thread.c shared/state/thread.h \
	shared/state/turn.c shared/state/turn.h

db_postgres_sources = \
	shared/state/db_postgres.c shared/state/db_postgres.h \
	shared/state/db_postgres_connection.c \
	shared/state/db_postgres_error.c \
	shared/state/db_postgres_exchange.c \
	shared/state/db_postgres_lease.c \
	shared/state/db_postgres_replica.c \
	shared/state/db_postgres_statement.c \
	shared/state/db_postgres_target.c \
	shared/state/db_postgres_transaction.c
if WITH_POSTGRESQL
shared_state_libstate_a_SOURCES += $(db_postgres_sources)
else
shared_state_libstate_a_SOURCES += shared/state/db_postgres_absent.c
endif
EXTRA_DIST += $(db_postgres_sources) shared/state/db_postgres_absent.c

# A folder of migrations becomes a C file in the build tree; NNN_name.postgresql.sql is what NNN_name.sql is in
# PostgreSQL's language. To have some, copy these lines and put your names in:
#
#     order_sql = apps/order/migrations/001_orders.sql
#     EXTRA_DIST += $(order_sql)
#     BUILT_SOURCES += apps/order/order_migrations.c
#     CLEANFILES += apps/order/order_migrations.c
#     nodist_apps_order_tandem_order_SOURCES = apps/order/order_migrations.c
#     apps/order/order_migrations.c: $(order_sql) $(EMBED_SH)
#     	$(AM_V_GEN)$(EMBED) order $(srcdir)/apps/order/migrations $@
#
# The C file defines order_migrations; declare it where it is used: extern const struct migration_set order_migrations;
EMBED_SH = $(srcdir)/shared/state/embed.sh
EMBED = embed() { $(MKDIR_P) "`dirname "$$3"`" && $(SHELL) $(EMBED_SH) "$$1" "$$2" >"$$3.tmp" && \
	mv "$$3.tmp" "$$3"; }; embed
EXTRA_DIST += shared/state/embed.sh
