# The fronts: installed ready to be included, with the installed paths put in for @NAME@. ./run and the tests put in
# their own. The standalone main files are for them alone and are not installed.

FRONT_TEMPLATES = etc/nginx/nginx.conf.in etc/nginx/tandem.conf.in \
	etc/nginx/tandem-upstreams.conf.in \
	etc/lighttpd/lighttpd.conf.in etc/lighttpd/tandem.conf.in etc/lighttpd/tandem-problems.conf.in \
	etc/lighttpd/tandem-upstreams.conf.in
WWW_TEMPLATE = etc/www/index.html.in

nginxdir = $(pkgdatadir)/nginx
nodist_nginx_DATA = etc/nginx/tandem.conf etc/nginx/tandem-upstreams.conf
dist_nginx_DATA = etc/nginx/tandem-fastcgi.conf etc/nginx/tandem-private.conf

lighttpddir = $(pkgdatadir)/lighttpd
nodist_lighttpd_DATA = etc/lighttpd/tandem.conf etc/lighttpd/tandem-problems.conf \
	etc/lighttpd/tandem-upstreams.conf
dist_lighttpd_DATA = \
	etc/lighttpd/problem.400.html etc/lighttpd/problem.403.html etc/lighttpd/problem.404.html \
	etc/lighttpd/problem.405.html etc/lighttpd/problem.408.html etc/lighttpd/problem.411.html \
	etc/lighttpd/problem.413.html etc/lighttpd/problem.414.html etc/lighttpd/problem.417.html \
	etc/lighttpd/problem.431.html etc/lighttpd/problem.500.html etc/lighttpd/problem.501.html \
	etc/lighttpd/problem.502.html etc/lighttpd/problem.503.html etc/lighttpd/problem.504.html \
	etc/lighttpd/problem.505.html

wwwdir = $(pkgdatadir)/www
nodist_www_DATA = etc/www/index.html

FRONT_SED = sed -e 's|@RUN@|/run/tandem|g' -e 's|@PORT@|8080|g' -e 's|@URL@|http://localhost:8080|g' \
	-e 's|@WWW@|$(wwwdir)|g' -e 's|@BODY_MAX_BYTES@|1048576|g' -e 's|@BODY_MAX_KIB@|1024|g' \
	-e 's|@ADDRESS@|0.0.0.0|g'

etc/nginx/tandem.conf: etc/nginx/tandem.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(FRONT_SED) -e 's|@CONF@|$(nginxdir)|g' \
		-e 's|@ACCESS_LOG@|/var/log/nginx/tandem.log tandem|g' $(srcdir)/etc/nginx/tandem.conf.in > $@

etc/nginx/tandem-upstreams.conf: etc/nginx/tandem-upstreams.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(FRONT_SED) $(srcdir)/etc/nginx/tandem-upstreams.conf.in > $@

LIGHTTPD_SED = $(FRONT_SED) -e 's|@CONF@|$(lighttpddir)|g'
etc/lighttpd/tandem.conf: etc/lighttpd/tandem.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(LIGHTTPD_SED) $(srcdir)/etc/lighttpd/tandem.conf.in > $@
etc/lighttpd/tandem-problems.conf: etc/lighttpd/tandem-problems.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(LIGHTTPD_SED) $(srcdir)/etc/lighttpd/tandem-problems.conf.in > $@
etc/lighttpd/tandem-upstreams.conf: etc/lighttpd/tandem-upstreams.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(LIGHTTPD_SED) $(srcdir)/etc/lighttpd/tandem-upstreams.conf.in > $@

etc/www/index.html: etc/www/index.html.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(FRONT_SED) $(srcdir)/etc/www/index.html.in > $@

EXTRA_DIST += $(FRONT_TEMPLATES) $(WWW_TEMPLATE) etc/debian-packages \
	etc/run/packages.sh etc/run/build.sh etc/run/processes.sh etc/run/keep.sh etc/run/engines.sh \
	etc/run/engine-etcd.sh etc/run/engine-postgresql.sh etc/run/engine-rabbitmq.sh etc/run/engine-redis.sh \
	etc/run/settings.sh etc/run/system.sh etc/run/seed.sh etc/run/demo.sh
CLEANFILES += $(nodist_nginx_DATA) $(nodist_lighttpd_DATA) $(nodist_www_DATA)

# The manual page and the sample of the settings are kept in the tree, so that building needs no program that runs here;
# `make update-option-pages` writes them anew from the table, and a test holds them to it.
noinst_PROGRAMS += option-pages
option_pages_SOURCES = etc/option-pages.c
option_pages_LDADD = $(LIBS_CONF)
dist_man_MANS += etc/tandem.conf.5 etc/tandem-metrics.7
confdir = $(sysconfdir)/tandem
CONF_SAMPLES = etc/tandem.conf etc/tandem.dev.conf etc/tandem.staging.conf etc/tandem.prod.conf
EXTRA_DIST += $(CONF_SAMPLES)

# Settings are their operator's: installing again leaves those that are there, and uninstalling those that were changed.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(confdir)/conf.d'
	for file in $(CONF_SAMPLES); do \
		to='$(DESTDIR)$(confdir)'/`basename $$file`; \
		test -e "$$to" || $(INSTALL_DATA) '$(srcdir)'/$$file "$$to" || exit 1; \
	done
uninstall-local:
	for file in $(CONF_SAMPLES); do \
		to='$(DESTDIR)$(confdir)'/`basename $$file`; \
		! cmp -s '$(srcdir)'/$$file "$$to" || rm -f "$$to" || exit 1; \
	done
	-rmdir '$(DESTDIR)$(confdir)/conf.d' 2>/dev/null

PHONY_TARGETS += update-option-pages
update-option-pages: option-pages
	./option-pages manual > $(srcdir)/etc/tandem.conf.5
	./option-pages metrics > $(srcdir)/etc/tandem-metrics.7
	./option-pages sample > $(srcdir)/etc/tandem.conf
	for layer in dev staging prod; do \
		./option-pages sample-$$layer > $(srcdir)/etc/tandem.$$layer.conf || exit 1; \
	done

logrotatedir = $(sysconfdir)/logrotate.d
dist_logrotate_DATA = etc/logrotate/tandem

sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = etc/sysusers.d/tandem.conf

# The schemas of events: for who sends or handles them elsewhere.
eventsdir = $(pkgdatadir)/events
dist_events_DATA = \
	etc/events/account.access_changed.v1.schema.json \
	etc/events/envelope.schema.json \
	etc/events/item.changed.v1.schema.json \
	etc/events/order.cancelled.v1.schema.json \
	etc/events/order.paid.v1.schema.json \
	etc/events/order.placed.v1.schema.json \
	etc/events/order.rejected.v1.schema.json \
	etc/events/session.ended.v1.schema.json \
	etc/events/stock.expiring.v1.schema.json \
	etc/events/stock.rejected.v1.schema.json \
	etc/events/stock.released.v1.schema.json \
	etc/events/stock.reserved.v1.schema.json

# What Prometheus, Alertmanager and Grafana need: to be copied to where they read, as doc/observability.md says.
prometheusdir = $(pkgdatadir)/prometheus
dist_prometheus_DATA = etc/prometheus/prometheus.yml
prometheusrulesdir = $(prometheusdir)/rules
dist_prometheusrules_DATA = etc/prometheus/rules/tandem-alerts.yml etc/prometheus/rules/tandem-recording.yml
EXTRA_DIST += etc/prometheus/tests/tandem-alerts_test.yml etc/prometheus/tests/tandem-budgets_test.yml \
	etc/prometheus/tests/tandem-engines_test.yml etc/prometheus/tests/tandem-hours_test.yml
alertmanagerdir = $(pkgdatadir)/alertmanager
dist_alertmanager_DATA = etc/alertmanager/alertmanager.yml
grafanadashboardsdir = $(pkgdatadir)/grafana/dashboards
dist_grafanadashboards_DATA = \
	etc/grafana/dashboards/tandem-events.json etc/grafana/dashboards/tandem-http.json \
	etc/grafana/dashboards/tandem-overview.json etc/grafana/dashboards/tandem-process.json \
	etc/grafana/dashboards/tandem-scale.json
grafanasourcesdir = $(pkgdatadir)/grafana/provisioning/datasources
dist_grafanasources_DATA = etc/grafana/provisioning/datasources/tandem.yml
grafanaprovisiondir = $(pkgdatadir)/grafana/provisioning/dashboards
nodist_grafanaprovision_DATA = etc/grafana/provisioning/dashboards/tandem.yml
EXTRA_DIST += $(nodist_grafanaprovision_DATA:=.in)
CLEANFILES += $(nodist_grafanaprovision_DATA)
etc/grafana/provisioning/dashboards/tandem.yml: etc/grafana/provisioning/dashboards/tandem.yml.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|@pkgdatadir[@]|$(pkgdatadir)|g' $(srcdir)/$@.in > $@

# Others who read the events; doc/events.md tells of them.
examplesdir = $(docdir)/examples
dist_examples_SCRIPTS = etc/examples/consume_kafka.py etc/examples/consume_rabbitmq.py

dist_doc_DATA = README.md ARCHITECTURE.md LICENSE \
	doc/caching.md doc/conformance-bus.md doc/conformance-cache.md doc/conformance-db.md doc/conformance-discovery.md \
	doc/discovery.md doc/events.md doc/gitops.md doc/observability.md doc/operating.md doc/payments.md \
	doc/postgresql.md doc/problems.md doc/tracing.md
runbooksdir = $(docdir)/runbooks
dist_runbooks_DATA = \
	doc/runbooks/TandemAvailabilityBudgetBurnsFast.md \
	doc/runbooks/TandemAvailabilityBudgetBurnsSlowly.md \
	doc/runbooks/TandemBreakerOpen.md \
	doc/runbooks/TandemBusAway.md \
	doc/runbooks/TandemBusLag.md \
	doc/runbooks/TandemBusNearlyFull.md \
	doc/runbooks/TandemCacheInvalidationsOwed.md \
	doc/runbooks/TandemCacheRemoteAway.md \
	doc/runbooks/TandemCrashLoop.md \
	doc/runbooks/TandemDatabaseAway.md \
	doc/runbooks/TandemDatabaseCommitsFail.md \
	doc/runbooks/TandemDeadLetters.md \
	doc/runbooks/TandemDescriptorsLow.md \
	doc/runbooks/TandemDiskFillsUp.md \
	doc/runbooks/TandemDiskSpaceLow.md \
	doc/runbooks/TandemEndpointsOut.md \
	doc/runbooks/TandemEventsUnknown.md \
	doc/runbooks/TandemLogLinesDropped.md \
	doc/runbooks/TandemOrderLatencyBudgetBurnsFast.md \
	doc/runbooks/TandemOrderLatencyBudgetBurnsSlowly.md \
	doc/runbooks/TandemOrdersStuck.md \
	doc/runbooks/TandemOutboxOld.md \
	doc/runbooks/TandemPaymentEventsRefused.md \
	doc/runbooks/TandemPaymentsDeclined.md \
	doc/runbooks/TandemPaymentsUncertain.md \
	doc/runbooks/TandemRefundsRefused.md \
	doc/runbooks/TandemRegistryAway.md \
	doc/runbooks/TandemReplicaBehind.md \
	doc/runbooks/TandemRequestsShed.md \
	doc/runbooks/TandemSettingsReloadFailed.md \
	doc/runbooks/TandemSpansDropped.md \
	doc/runbooks/TandemTargetDown.md \
	doc/runbooks/TandemWriteQueueLong.md

# systemd units.
unitdir = $(systemdsystemunitdir)
nodist_unit_DATA = \
	etc/systemd/tandem-inventory.service etc/systemd/tandem-inventory.socket \
	etc/systemd/tandem-order.service etc/systemd/tandem-order.socket \
	etc/systemd/tandem-user.service etc/systemd/tandem-user.socket
EXTRA_DIST += $(nodist_unit_DATA:=.in)
CLEANFILES += $(nodist_unit_DATA)
$(nodist_unit_DATA): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		$(srcdir)/$@.in > $@
etc/systemd/tandem-inventory.service: etc/systemd/tandem-inventory.service.in
etc/systemd/tandem-inventory.socket: etc/systemd/tandem-inventory.socket.in
etc/systemd/tandem-order.service: etc/systemd/tandem-order.service.in
etc/systemd/tandem-order.socket: etc/systemd/tandem-order.socket.in
etc/systemd/tandem-user.service: etc/systemd/tandem-user.service.in
etc/systemd/tandem-user.socket: etc/systemd/tandem-user.socket.in
