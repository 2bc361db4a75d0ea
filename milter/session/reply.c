/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reply: see reply.h. Of a sender, what its mail host said is quoted; of a recipient, nothing that
 * our own hosts said is told; of a client, what its host answered. Codes: RFC 3463, RFC 7372. A sender is put off with 450, whatever the
 * reason: 451 would speak of an error of ours (RFC 5321 4.2.3).
 */
#include "config.h"

#include "session/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "session/claim.h"
#include "session/decide.h"

enum { SAID_MAX = 199 }; /* octets quoted of a host's reply */

/* What there is to say where no host said anything. */
static const char *in_words(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_NO_DOMAIN:
        return "the domain does not exist";
    case RB_REASON_NO_MAIL_HOST:
        return "the domain has no mail host";
    case RB_REASON_NULL_MX:
        return "the domain does not accept mail (null MX)";
    case RB_REASON_BOGUS_MX:
        return "the domain's mail hosts are at addresses that no mail can go to";
    case RB_REASON_BAD_ADDRESS:
        return "not a valid address";
    case RB_REASON_REJECTED:
        return "it cannot be verified";
    case RB_REASON_GREYLISTED:
        return "greylisted by its mail host, not verified yet";
    case RB_REASON_UNREACHABLE:
        return "its mail hosts cannot be reached";
    case RB_REASON_DNS_FAILURE:
        return "its domain cannot be looked up";
    case RB_REASON_TIMEOUT:
        return "its mail host has not answered yet";
    case RB_REASON_LIMITED:
    case RB_REASON_BUSY:
        return "too many addresses to verify just now";
    default:
        return rb_reason_name(reason);
    }
}

/* Quoted for a reply: what the host said must not end the quotation. */
static void quote_reply(char *text, size_t size, const char *said)
{
    text_printable(text, size, said, strlen(said));
    for (char *c = text; *c != '\0'; c++)
        if (*c == '"')
            *c = '\'';
}

/* What the gate has to say: whose domain says what of the client, and what can be done. */
static void words_of_gate(const struct session *session, const struct decision *decision,
                          char *text, size_t size)
{
    const struct rb_answer *answer = envelope_answer(session, decision);
    const char *domain = answer->domain[0] != '\0' ? answer->domain : "its domain";
    const char *client = session->client_text[0] != '\0' ? session->client_text : "this client";
    char said[RB_DOMAIN_MAX + 128];

    if (decision->reason == RB_REASON_SPF_FAIL)
        (void)snprintf(said, sizeof said, "%s says by SPF that %s may not send its mail", domain,
                       client);
    else if (decision->reason == RB_REASON_SPF_SOFTFAIL)
        (void)snprintf(said, sizeof said, "%s says by SPF that %s is probably no server of its own",
                       domain, client);
    else
        (void)snprintf(said, sizeof said, "nothing shows that %s sends mail for %s", client,
                       domain);
    (void)snprintf(text, size,
                   "%s; send it through a server of that domain, or have its owner name this one "
                   "by SPF",
                   said);
}

/* Of a sender, that of the envelope or of a header field: what its mail host said is nobody's
 * secret. */
static void describe_sender(const struct session *session, const struct decision *decision,
                            char *text, size_t size)
{
    const struct rb_answer *answer = envelope_answer(session, decision);
    const char *role = envelope_role(decision), *address = envelope_address(session, decision);
    const char *what =
        decision->verdict == RB_VERDICT_INVALID ? "undeliverable address" : "unverified address";
    char said[REPLY_TEXT_MAX + 1], sender[RB_ADDRESS_MAX + 1];

    text_printable(sender, sizeof sender, address, strlen(address));
    if (answer->reply[0] != '\0') {
        quote_reply(said, SAID_MAX + 1, answer->reply);
        (void)snprintf(text, size, "<%s>: %s address rejected: %s: %s said: \"%s\"", sender, role,
                       what, answer->mx, said);
    } else {
        if (decide_is_held_back(decision->reason))
            words_of_gate(session, decision, said, sizeof said);
        else
            (void)text_copy(said, sizeof said, in_words(decision->reason));
        (void)snprintf(text, size, "<%s>: %s address rejected: %s: %s", sender, role, what, said);
    }
}

/* What is wrong with a recipient. */
static const char *fault_of_recipient(const struct decision *decision)
{
    switch (decision->reason) {
    case RB_REASON_MAILBOX_FULL:
        return "mailbox full";
    case RB_REASON_TOO_LARGE:
        return "message too large";
    default:
        return decision->verdict == RB_VERDICT_INVALID ? "undeliverable address"
                                                       : "unverified address";
    }
}

/* Of a recipient: which of our hosts said so, and in what words, is no stranger's business. */
static void describe_recipient(const struct decision *decision, char *text, size_t size)
{
    char recipient[RB_ADDRESS_MAX + 1];

    text_printable(recipient, sizeof recipient, decision->recipient, strlen(decision->recipient));
    if (decision->put_off)
        (void)snprintf(
            text, size,
            "<%s>: other recipients of this message are treated otherwise, send it separately",
            recipient);
    else if (decision->barred)
        (void)snprintf(text, size, "<%s>: too many unknown recipients, try again later", recipient);
    else
        (void)snprintf(text, size, "<%s>: recipient address rejected: %s", recipient,
                       fault_of_recipient(decision));
}

/*
 * Whom the domain disowns by SPF: RFC 7372 3.2. For whom nobody vouches: delivery not authorized.
 * x.1.7 is said of the sender's address in whatever field (RFC 3463 3.2); of one in the header at
 * the end of the message, where 450 and 550 are for reasons of policy (RFC 5321 4.3.2).
 */
static const char *enhanced_code_of_sender(enum rb_reason reason, bool reject)
{
    if (reason == RB_REASON_SPF_FAIL || reason == RB_REASON_SPF_SOFTFAIL)
        return reject ? "5.7.23" : "4.7.23";
    if (reason == RB_REASON_NOT_VOUCHED)
        return reject ? "5.7.1" : "4.7.1";
    return reject ? "5.1.7" : "4.1.7";
}

static const char *enhanced_code(const struct decision *decision, bool reject)
{
    if (decision->of == OF_CLIENT)
        return reject ? "5.7.1" : "4.7.1"; /* delivery not authorized (RFC 3463 3.8) */
    if (decision->put_off)
        return "4.5.3";
    if (decision->of != OF_RECIPIENT)
        return enhanced_code_of_sender(decision->reason, reject);
    if (decision->barred)
        return reject ? "5.7.1" : "4.7.1";
    if (decision->reason == RB_REASON_MAILBOX_FULL)
        return reject ? "5.2.2" : "4.2.2";
    if (decision->reason == RB_REASON_TOO_LARGE)
        return reject ? "5.3.4" : "4.3.1"; /* x.3.4 is of use for good alone (RFC 3463 3.4) */
    return reject ? "5.1.1" : "4.1.1";
}

/* 552 and 452 are for want of room (RFC 5321 4.2.3), 452 for too many recipients too (4.5.3.1.10). */
static const char *reply_code(const struct decision *decision, bool reject)
{
    const bool of_room =
        decision->of == OF_RECIPIENT &&
        (decision->reason == RB_REASON_MAILBOX_FULL || decision->reason == RB_REASON_TOO_LARGE);

    if (reject)
        return of_room ? "552" : "550";
    if (decision->of == OF_CLIENT)
        return "451";
    return of_room || decision->put_off ? "452" : "450";
}

void reply_write(const struct session *session, const struct decision *decision, enum action action,
                 struct smtp_reply *reply)
{
    bool reject = action == ACTION_REJECT;
    char text[3 * REPLY_TEXT_MAX];

    (void)text_copy(reply->code, sizeof reply->code, reply_code(decision, reject));
    (void)text_copy(reply->enhanced, sizeof reply->enhanced, enhanced_code(decision, reject));
    if (decision->of == OF_CLIENT)
        claim_describe(session, " ", text);
    else if (decision->of != OF_RECIPIENT)
        describe_sender(session, decision, text, sizeof text);
    else
        describe_recipient(decision, text, sizeof text);
    text_printable(reply->text, sizeof reply->text, text, strlen(text));
}
