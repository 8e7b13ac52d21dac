noinst_LIBRARIES += shared/net/libnet.a
shared_net_libnet_a_SOURCES = \
	shared/net/balancer.c shared/net/balancer.h \
	shared/net/breaker.c shared/net/breaker.h \
	shared/net/client.c shared/net/client.h \
	shared/net/client_guard.c shared/net/client_guard.h \
	shared/net/client_trace.c shared/net/client_trace.h \
	shared/net/deadline.c shared/net/deadline.h \
	shared/net/fcgi_call.c shared/net/fcgi_call.h \
	shared/net/fcgi_connection.c shared/net/fcgi_connection.h \
	shared/net/fcgi_connection_send.c \
	shared/net/fcgi_inbound.c shared/net/fcgi_inbound.h \
	shared/net/fcgi_lane.c shared/net/fcgi_lane.h \
	shared/net/fcgi_parser.c shared/net/fcgi_parser.h \
	shared/net/fcgi_stdout.c shared/net/fcgi_stdout.h \
	shared/net/fcgi_wire.c shared/net/fcgi_wire.h \
	shared/net/http.c shared/net/http.h \
	shared/net/http_response.c \
	shared/net/instances.c shared/net/instances.h \
	shared/net/libfcgi_call.c \
	shared/net/libfcgi_poller.c \
	shared/net/listen.c shared/net/listen.h \
	shared/net/problem.c shared/net/problem.h \
	shared/net/reactor.c shared/net/reactor.h \
	shared/net/retry.c shared/net/retry.h \
	shared/net/route.c shared/net/route.h \
	shared/net/server.c shared/net/server.h \
	shared/net/server_libfcgi.c shared/net/server_libfcgi.h \
	shared/net/server_native.c shared/net/server_native.h \
	shared/net/server_native_accept.c \
	shared/net/server_transport.h
