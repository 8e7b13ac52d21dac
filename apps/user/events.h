/*
 * What the user service tells: that tokens do not stand for what they stood for any more. Whoever keeps what it has
 * learnt of tokens forgets it then (app/auth.h). In the transaction of a command.
 */
#ifndef TANDEM_APPS_USER_EVENTS_H
#define TANDEM_APPS_USER_EVENTS_H

#include "app/call.h"
#include "base/err.h"

/** This session has ended: session.ended.v1. */
enum err must_check user_session_ended(struct call *call, const char *user_id, const char *token_digest);

/** Sessions of this user have ended, or the user's role is another: account.access_changed.v1. */
enum err must_check user_access_changed(struct call *call, struct text user_id);

#endif
