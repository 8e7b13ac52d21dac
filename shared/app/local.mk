noinst_LIBRARIES += shared/app/libapp.a
shared_app_libapp_a_SOURCES =
