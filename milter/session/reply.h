/* SPDX-License-Identifier: BSD-2-Clause */
/* reply: how a decision is told to the client. Pure. */
#ifndef RB_MILTER_SESSION_REPLY_H
#define RB_MILTER_SESSION_REPLY_H

#include "session/envelope.h"

enum { REPLY_TEXT_MAX = 480 }; /* octets of a reply's text: with its codes below SMTP's 512 */

struct smtp_reply {
    char code[4], enhanced[8];
    char text[REPLY_TEXT_MAX + 1]; /* printable ASCII, one line, '%' single */
};

/* Only for ACTION_REJECT and ACTION_TEMPFAIL. */
void reply_write(const struct session *session, const struct decision *decision, enum action action,
                 struct smtp_reply *reply);

#endif
