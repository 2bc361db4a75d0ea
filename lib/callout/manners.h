/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manners: when a mail host has had enough: of this session, of our number, of our pace. Pure:
 * counts and judges what was said; calls nobody.
 */
#ifndef RB_CALLOUT_MANNERS_H
#define RB_CALLOUT_MANNERS_H

#include "callout/channel.h"

/* What one session has asked of its host so far. */
struct manners {
    unsigned asked;         /* addresses and verbs */
    bool verb_said;         /* no other one in this session: hosts count what they do not know */
    bool got_answer;        /* for some address: the host is one that talks to us */
    bool session_exhausted; /* nothing more is to be asked for in it */
    int64_t quickest_refusal_ms; /* 0: none so far */
};

/* An address was refused, and the refusal took so long. */
void manners_note_refusal(struct manners *manners, int64_t took_ms);

/* Whether no question is to be begun any more, for the host would soon have enough of the
 * session. */
bool manners_is_exhausted(const struct manners *manners, const struct dialogue *dialogue);

/* Whether what was said is against us, and not against one recipient by a policy. */
bool manners_is_about_us(const struct channel *channel, const struct address_record *record);

/*
 * Whether the host, which had been asked before, has now had enough of the session: it closes
 * without a word about this address, takes no more recipients (452, RFC 5321 4.5.3.1.10), names a
 * limit of the session, or speaks of us. That says nothing of the address or the host: Postfix ends
 * a session after 20 refused recipients.
 */
bool manners_ends_session(const struct manners *manners, const struct channel *channel,
                          const struct address_record *record);

/* Whether the host says that our pace or number is too much for it now. */
bool manners_is_too_much(const struct channel *channel, const struct address_record *record);

/*
 * Of a channel that could not be opened: whether the host, in place of its greeting, says that
 * there are too many of us, or just closes.
 */
bool manners_is_one_too_many(const struct channel *channel);

#endif
