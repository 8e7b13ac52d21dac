bin_PROGRAMS += tandemctl
tandemctl_SOURCES = \
	apps/ctl/commands.h \
	apps/ctl/conf_command.c \
	apps/ctl/db_command.c \
	apps/ctl/db_copy.c \
	apps/ctl/db_files.c apps/ctl/db_files.h \
	apps/ctl/db_manifest.c apps/ctl/db_manifest.h \
	apps/ctl/db_place.c apps/ctl/db_place.h \
	apps/ctl/db_restore.c \
	apps/ctl/endpoints_command.c \
	apps/ctl/events_command.c \
	apps/ctl/events_dead.h \
	apps/ctl/events_dead_command.c \
	apps/ctl/events_dead_decide.c \
	apps/ctl/events_open.c apps/ctl/events_open.h \
	apps/ctl/front_command.c \
	apps/ctl/front_render.c apps/ctl/front_render.h \
	apps/ctl/get_command.c \
	apps/ctl/invocation.c apps/ctl/invocation.h \
	apps/ctl/invocation_help.c apps/ctl/invocation_help.h \
	apps/ctl/main.c \
	apps/ctl/probe.c apps/ctl/probe.h \
	apps/ctl/secret.c apps/ctl/secret.h \
	apps/ctl/signature_command.c \
	apps/ctl/status_command.c \
	apps/ctl/supervise.c apps/ctl/supervise.h \
	apps/ctl/supervise_command.c \
	apps/ctl/supervise_notify.c \
	apps/ctl/supervise_worker.c \
	apps/ctl/token_command.c \
	apps/ctl/trace_command.c \
	apps/ctl/trace_draw.c apps/ctl/trace_draw.h \
	apps/ctl/trace_read.c apps/ctl/trace_read.h \
	apps/ctl/trace_tree.c apps/ctl/trace_tree.h \
	apps/ctl/user_command.c \
	apps/ctl/user_database.c apps/ctl/user_database.h
tandemctl_LDADD = apps/order/liborder.a apps/inventory/libinventory.a $(LIBS_USER)
dist_man_MANS += apps/ctl/tandemctl.1
