/* SPDX-License-Identifier: BSD-2-Clause */
/* words: what reasons, limits and exemptions mean, in a sentence for people. Static text. Pure. */
#ifndef RB_MILTER_HTTP_WORDS_H
#define RB_MILTER_HTTP_WORDS_H

#include "config/policy.h"
#include "ringback.h"
#include "session/envelope.h"

/* "The mail host says that there is no such mailbox." "" for what has none. */
const char *words_of_reason(enum rb_reason reason);

/* Why nobody was to be asked: "The client is in a trusted network." */
const char *words_of_exemption(enum exemption exemption);

/* "The host that the client claims to be says that it is not talking to us." */
const char *words_of_client(enum rb_client_result result);

/* Why something is held back: "calls to it failed too often". */
const char *words_of_limit(enum rb_limit limit);

/* What was done: "let in", "refused". */
const char *words_of_action(enum action action);

#endif
