/* SPDX-License-Identifier: BSD-2-Clause */
/* tell: how a session's decisions are told to clients and to the log; see session.h. */
#include "config.h"

#include "session/session.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

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
    case RB_REASON_SPF_FAIL:
        return "its domain does not allow this client to send mail for it (SPF)";
    default:
        return rb_reason_name(reason);
    }
}

/* Quoted for a reply: what the host said must not end the quotation. */
static void quote(char *text, size_t size, const char *said)
{
    text_printable(text, size, said, strlen(said));
    for (char *c = text; *c != '\0'; c++)
        if (*c == '"')
            *c = '\'';
}

/* Of the sender: what its mail host said is nobody's secret. */
static void describe_sender(const struct session *session, const struct decision *decision,
                            char *text, size_t size)
{
    const struct rb_answer *answer = &session->answer;
    const char *what =
        decision->verdict == RB_VERDICT_INVALID ? "undeliverable address" : "unverified address";
    char said[200], sender[RB_ADDRESS_MAX + 1];

    text_printable(sender, sizeof sender, session->sender_text, strlen(session->sender_text));
    if (answer->reply[0] != '\0') {
        quote(said, sizeof said, answer->reply);
        (void)snprintf(text, size, "<%s>: sender address rejected: %s: %s said: \"%s\"", sender,
                       what, answer->mx, said);
    } else {
        (void)snprintf(text, size, "<%s>: sender address rejected: %s: %s", sender, what,
                       in_words(decision->reason));
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
                       decision->verdict == RB_VERDICT_INVALID ? "undeliverable address"
                                                               : "unverified address");
}

static const char *enhanced_code(const struct decision *decision, bool reject)
{
    if (decision->put_off)
        return "4.5.3";
    if (decision->of == OF_SENDER)
        return reject ? "5.1.7" : "4.1.7";
    if (decision->barred)
        return reject ? "5.7.1" : "4.7.1";
    return reject ? "5.1.1" : "4.1.1";
}

void session_reply(const struct session *session, const struct decision *decision,
                   enum action action, struct smtp_reply *reply)
{
    bool reject = action == ACTION_REJECT;
    char text[2 * SESSION_REPLY_MAX];

    (void)text_copy(reply->code, sizeof reply->code,
                    reject              ? "550"
                    : decision->put_off ? "452"
                                        : "450");
    (void)text_copy(reply->enhanced, sizeof reply->enhanced, enhanced_code(decision, reject));
    if (decision->of == OF_SENDER)
        describe_sender(session, decision, text, sizeof text);
    else
        describe_recipient(decision, text, sizeof text);
    text_printable(reply->text, sizeof reply->text, text, strlen(text));
}

static void log_answer(const struct rb_answer *answer, struct log_fields *fields)
{
    if (answer->mx[0] != '\0')
        log_fieldf(fields, "mx", "%s[%s]", answer->mx, answer->ip);
    if (answer->reply[0] != '\0')
        log_field(fields, "reply", answer->reply);
    if (answer->rule[0] != '\0')
        log_field(fields, "rule", answer->rule);
    log_field(fields, "cached", answer->cached ? "yes" : "no");
}

void session_log(const struct session *session, struct decision *decision, const char *queue_id)
{
    bool exempt = decision->exemption != EXEMPT_NOT, of_sender = decision->of == OF_SENDER;
    long long waited_ms = exempt      ? 0
                          : of_sender ? session->waited_ms
                                      : session->rcpt.answer.elapsed_ms;
    struct log_fields fields;
    char lead[64] = "";

    if (decision->logged)
        return;
    decision->logged = true;
    if (queue_id != NULL && queue_id[0] != '\0')
        (void)snprintf(lead, sizeof lead, "%.60s:", queue_id);
    log_fields_init(&fields, lead);
    log_field(&fields, "verify", exempt ? "none" : of_sender ? "sender" : "recipient");
    log_fieldf(&fields, "address", "<%s>", of_sender ? session->sender_text : decision->recipient);
    log_field(&fields, "verdict", rb_verdict_name(decision->verdict));
    log_field(&fields, "reason", rb_reason_name(decision->reason));
    if (exempt)
        log_field(&fields, "rule", exemption_name(decision->exemption));
    else
        log_answer(session_answer(session, decision), &fields);
    log_fieldf(&fields, "waited", "%lld.%03llds", waited_ms / 1000, waited_ms % 1000);
    log_field(&fields, "policy", decision->policy->name);
    log_field(&fields, "action", action_name(decision->action));
    if (decision->action != decision->wanted)
        log_field(&fields, "would", action_name(decision->wanted));
    log_field(&fields, "client", session->client_text[0] != '\0' ? session->client_text : "local");
    log_field(&fields, "id", session->id);
    log_fields_write(LOG_LEVEL_INFO, &fields);
}
