noinst_LIBRARIES += shared/events/libevents.a
shared_events_libevents_a_SOURCES =
