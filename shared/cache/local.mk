noinst_LIBRARIES += shared/cache/libcache.a
shared_cache_libcache_a_SOURCES = \
	shared/cache/absences.c shared/cache/absences.h \
	shared/cache/cache.c shared/cache/cache.h shared/cache/cache_private.h \
	shared/cache/cache_load.c \
	shared/cache/filter.c shared/cache/filter.h shared/cache/filter_private.h \
	shared/cache/filter_file.c shared/cache/filter_refresh.c \
	shared/cache/flights.c shared/cache/flights.h \
	shared/cache/marks.c shared/cache/marks.h \
	shared/cache/memory.c shared/cache/memory.h \
	shared/cache/remote.h
if WITH_REDIS
shared_cache_libcache_a_SOURCES += \
	shared/cache/redis_command.h \
	shared/cache/redis_link.c shared/cache/redis_link.h \
	shared/cache/redis_map.c shared/cache/redis_map.h \
	shared/cache/redis_node.c shared/cache/redis_node.h \
	shared/cache/redis_replies.c shared/cache/redis_replies.h \
	shared/cache/redis_slot.c shared/cache/redis_slot.h \
	shared/cache/redis_socket.c shared/cache/redis_socket.h \
	shared/cache/redis_tls.h \
	shared/cache/remote_keeper.c \
	shared/cache/remote_open.c \
	shared/cache/remote_private.h \
	shared/cache/remote_record.c \
	shared/cache/remote_redis.c \
	shared/cache/remote_run.c
if WITH_OPENSSL
shared_cache_libcache_a_SOURCES += shared/cache/redis_tls.c
else
shared_cache_libcache_a_SOURCES += shared/cache/redis_tls_absent.c
endif
else
shared_cache_libcache_a_SOURCES += shared/cache/remote_absent.c
endif
