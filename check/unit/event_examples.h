/*
 * Examples of events (event_examples.tsv, made of the schemas in etc/events), and handing them to who handles them:
 * what fits the schema is taken, also with members that nobody knows; where what is required is wrong, that is refused,
 * with a cause that names the member.
 */
#ifndef TANDEM_CHECK_UNIT_EVENT_EXAMPLES_H
#define TANDEM_CHECK_UNIT_EVENT_EXAMPLES_H

#include <stddef.h>

#include "base/err.h"
#include "events/event.h"

enum { EXAMPLE_CAUSE_SIZE = 512 };

/** Handles the event; cause is what err_cause() was, on whichever thread. */
typedef enum err example_hand(const struct event *event, char cause[static EXAMPLE_CAUSE_SIZE]);

/** Hands over all examples of a type, of which there must be some. unread names the members that the handler does not
 *  look at, "/user_id", up to a NULL: whatever is wrong with them is taken. Fails the case. */
void event_examples_hand(const char *type, const char *const *unread, example_hand *hand);

#endif
