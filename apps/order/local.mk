sbin_PROGRAMS += tandem-order
tandem_order_SOURCES = apps/order/main.c
tandem_order_LDADD = $(LIBS_ORDER)
dist_man_MANS += apps/order/tandem-order.8

# Everything but main(), so that the unit tests can stand on it.
noinst_LIBRARIES += apps/order/liborder.a
apps_order_liborder_a_SOURCES = \
	apps/order/app.h \
	apps/order/card_number.c apps/order/card_number.h \
	apps/order/events.c apps/order/events.h \
	apps/order/order.c apps/order/order.h \
	apps/order/payment.c apps/order/payment.h \
	apps/order/payment_record.c apps/order/payment_record.h \
	apps/order/payment_sandbox.c \
	apps/order/payment_settings.c apps/order/payment_settings.h \
	apps/order/payment_store.c apps/order/payment_store.h \
	apps/order/payment_stripe.c apps/order/payment_stripe.h \
	apps/order/payment_stripe_answer.c apps/order/payment_stripe_answer.h \
	apps/order/payment_stripe_call.c apps/order/payment_stripe_call.h \
	apps/order/payment_stripe_form.c apps/order/payment_stripe_form.h \
	apps/order/payment_stripe_notice.c apps/order/payment_stripe_notice.h \
	apps/order/payment_stripe_signature.c apps/order/payment_stripe_signature.h \
	apps/order/payment_trace.c apps/order/payment_trace.h \
	apps/order/payment_worker.c apps/order/payment_worker.h \
	apps/order/place.c apps/order/place.h \
	apps/order/routes.c apps/order/routes.h \
	apps/order/routes_payment.c \
	apps/order/store.c apps/order/store.h \
	apps/order/stuck.c apps/order/stuck.h \
	apps/order/tally.c apps/order/tally.h \
	apps/order/workflow.c apps/order/workflow.h
nodist_apps_order_liborder_a_SOURCES = apps/order/order_migrations.c
LIBS_ORDER = apps/order/liborder.a $(LIBS_APP)

order_sql = apps/order/migrations/001_order.sql apps/order/migrations/002_payment_origin.sql \
	apps/order/migrations/003_tally.sql apps/order/migrations/004_payment_reference.sql \
	apps/order/migrations/005_payment_tracestate.sql
EXTRA_DIST += $(order_sql)
BUILT_SOURCES += apps/order/order_migrations.c
CLEANFILES += apps/order/order_migrations.c
apps/order/order_migrations.c: $(order_sql) $(EMBED_SH)
	$(AM_V_GEN)$(EMBED) order $(srcdir)/apps/order/migrations $@
