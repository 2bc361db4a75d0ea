/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel: one connection to one address of a mail host, and the dialogue on it: connects, uses TLS
 * where it may and can, asks, and says in records what came of it. Must not decide what is asked,
 * nor what an answer is worth. One thread, that of the callout.
 */
#ifndef RB_CALLOUT_CHANNEL_H
#define RB_CALLOUT_CHANNEL_H

#include "callout/attempt.h"
#include "smtp/dialogue.h"
#include "smtp/transport.h"

#include <sys/socket.h>

struct channel {
    struct attempt *attempt;
    const char *mx;
    struct sockaddr_storage address; /* with its port */
    struct transport transport;
    struct dialogue dialogue;
    enum wire_status status; /* of what was done last; WIRE_OK: the dialogue says more */
};

/*
 * Connects to channel->address, and goes on up to where a question may be asked. Where TLS fails,
 * it connects once more, in clear. attempt, mx and address are set. False: the dialogue's answer
 * says why. To be closed by transport_quit or transport_close in any case.
 */
bool channel_open(struct channel *channel);

/* Whether a question may be asked now. */
bool channel_can_ask(const struct channel *channel);

/* Asks one question, and waits for the dialogue's answer. Only when channel_can_ask. */
void channel_ask(struct channel *channel, const struct dialogue_question *question, deadline until);

/* Says a verb, and waits for its reply. Only when channel_can_ask. */
void channel_ask_verb(struct channel *channel, const char *line, deadline until);

/*
 * Ends the transaction that may be open, so that the channel can be left alone for a while. False:
 * it is of no more use.
 */
bool channel_reset(struct channel *channel, deadline until);

/* What the last transaction, or the channel's failure, says. */
void channel_record(const struct channel *channel, struct address_record *record);

#endif
