noinst_LIBRARIES += shared/net/libnet.a
shared_net_libnet_a_SOURCES = \
	shared/net/client.c shared/net/client.h \
	shared/net/http.c shared/net/http.h \
	shared/net/http_response.c \
	shared/net/problem.c shared/net/problem.h \
	shared/net/route.c shared/net/route.h
