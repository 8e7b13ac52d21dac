noinst_LIBRARIES += shared/discovery/libdiscovery.a
shared_discovery_libdiscovery_a_SOURCES = \
	shared/discovery/discovery.c shared/discovery/discovery.h \
	shared/discovery/discovery_consul.c \
	shared/discovery/discovery_dns.c \
	shared/discovery/discovery_driver.h shared/discovery/discovery_private.h \
	shared/discovery/discovery_etcd.c \
	shared/discovery/discovery_registration.c \
	shared/discovery/discovery_static.c \
	shared/discovery/discovery_watch.c \
	shared/discovery/dns_answer.c shared/discovery/dns_answer.h \
	shared/discovery/etcd_json.c shared/discovery/etcd_json.h \
	shared/discovery/registry.c shared/discovery/registry.h \
	shared/discovery/remembered.c shared/discovery/remembered.h \
	shared/discovery/waiter.c shared/discovery/waiter.h
