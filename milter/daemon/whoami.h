/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whoami: does the world see us as who we say we are? Looks at the start and after each reload, in
 * a thread of its own, since name servers may be slow; logs what is wrong and keeps it for
 * `ringback status`. Advice only: nothing depends on it.
 */
#ifndef RB_MILTER_DAEMON_WHOAMI_H
#define RB_MILTER_DAEMON_WHOAMI_H

#include "verifier/identity.h"
#include "ringback.h"

/* Begins to look, unless that is under way. After fork. Any thread. */
void whoami_look(struct rb_verifier *verifier);

/*
 * What was found last: nothing before the first look is over. False: there was none yet. Any
 * thread.
 */
bool whoami_get(struct identity *identity);

/* Waits for a look under way: to be called before the verifier is closed. */
void whoami_stop(void);

#endif
