/* SPDX-License-Identifier: BSD-2-Clause */
/* observer: see observer.h. */
#include "config.h"

#include "daemon/observer.h"

#include <stdio.h>

#include "base/log.h"
#include "daemon/history.h"
#include "daemon/metrics.h"

static void note_failure(const struct session *session, enum decision_of of, const char *why)
{
    if (of == OF_SENDER)
        log_line(LOG_LEVEL_ERROR, "cannot verify <%s>: %s", session->sender_text, why);
    else if (of == OF_HEADER)
        log_line(LOG_LEVEL_ERROR, "cannot verify the header fields of a message from <%s>: %s",
                 session->sender_text, why);
    else
        log_line(LOG_LEVEL_ERROR, "cannot verify recipient <%s>: %s",
                 session->rcpt.decision.recipient, why);
}

static void note_decided(enum rb_reason reason, enum action action)
{
    metrics_decided(reason, action);
    history_decided(reason);
}

static void note_waited(int64_t waited_ms)
{
    metrics_waited(waited_ms);
    history_waited(waited_ms);
}

const struct session_observer observer_of_sessions = {
    .decided = note_decided,
    .skipped = metrics_skipped,
    .vouched = metrics_vouched,
    .guessed = metrics_guessed,
    .waited = note_waited,
    .failed = note_failure,
    .note_correspondent = rb_note_correspondent,
};

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

/* Of an exempt sender nobody was asked to. */
static void log_voucher(const struct session *session, const struct decision *decision,
                        struct log_fields *fields)
{
    enum rb_voucher voucher = decision->exemption == EXEMPT_NOT
                                  ? envelope_answer(session, decision)->voucher
                                  : RB_VOUCHER_NOBODY;

    log_field(fields, "vouched", rb_voucher_name(voucher));
}

static const char *subject(const struct decision *decision)
{
    static const char *const names[] = {
        [OF_SENDER] = "sender", [OF_RECIPIENT] = "recipient", [OF_HEADER] = "header"};

    return decision->exemption != EXEMPT_NOT ? "none" : names[decision->of];
}

static void begin_line(struct log_fields *fields, const char *queue_id)
{
    char lead[64] = "";

    if (queue_id != NULL && queue_id[0] != '\0')
        (void)snprintf(lead, sizeof lead, "%.60s:", queue_id);
    log_fields_init(fields, lead);
}

static void log_waited(struct log_fields *fields, int64_t waited_ms)
{
    log_fieldf(fields, "waited", "%lld.%03llds", (long long)waited_ms / 1000,
               (long long)waited_ms % 1000);
}

static void log_action(struct log_fields *fields, const struct decision *decision)
{
    log_field(fields, "action", action_name(decision->action));
    if (decision->action != decision->wanted)
        log_field(fields, "would", action_name(decision->wanted));
}

static void log_end(struct log_fields *fields, const struct session *session)
{
    log_field(fields, "client", session->client_text[0] != '\0' ? session->client_text : "local");
    log_field(fields, "id", session->id);
}

/* What the host said that the client claims to be. */
static void log_claim(const struct session *session, const struct decision *decision,
                      const char *queue_id)
{
    const struct rb_client_answer *answer = &session->claim->answer;
    struct log_fields fields;

    begin_line(&fields, queue_id);
    log_field(&fields, "verify", "client");
    log_field(&fields, "helo", session->helo);
    log_field(&fields, "verdict", rb_client_result_name(answer->result));
    if (answer->host[0] != '\0' && answer->ip[0] != '\0')
        log_fieldf(&fields, "mx", "%s[%s]", answer->host, answer->ip);
    else if (answer->host[0] != '\0')
        log_field(&fields, "mx", answer->host);
    if (answer->reply[0] != '\0')
        log_field(&fields, "reply", answer->reply);
    if (answer->rule[0] != '\0')
        log_field(&fields, "rule", answer->rule);
    log_field(&fields, "cached", answer->cached ? "yes" : "no");
    log_waited(&fields, session->claim->waited_ms);
    log_action(&fields, decision);
    log_end(&fields, session);
    log_fields_write(LOG_LEVEL_INFO, &fields);
}

void observer_log(const struct session *session, struct decision *decision, const char *queue_id)
{
    struct log_fields fields;

    if (decision->logged)
        return;
    decision->logged = true;
    history_note(session, decision, queue_id);
    if (decision->of == OF_CLIENT) {
        log_claim(session, decision, queue_id);
        return;
    }
    begin_line(&fields, queue_id);
    log_field(&fields, "verify", subject(decision));
    if (decision->of == OF_HEADER)
        log_field(&fields, "field", originator_names[decision->field]);
    log_fieldf(&fields, "address", "<%s>", envelope_address(session, decision));
    log_field(&fields, "verdict", rb_verdict_name(decision->verdict));
    log_field(&fields, "reason", rb_reason_name(decision->reason));
    if (decision->exemption != EXEMPT_NOT)
        log_field(&fields, "rule", exemption_name(decision->exemption));
    else
        log_answer(envelope_answer(session, decision), &fields);
    log_waited(&fields,
               decision->exemption == EXEMPT_NOT ? envelope_waited_ms(session, decision) : 0);
    log_field(&fields, "policy", decision->policy->name);
    log_action(&fields, decision);
    log_end(&fields, session);
    if (decision->of != OF_RECIPIENT)
        log_voucher(session, decision, &fields);
    log_fields_write(LOG_LEVEL_INFO, &fields);
}

void observer_connection_exempt(const struct session *session, enum exemption exemption)
{
    struct log_fields fields;

    metrics_skipped(exemption);
    if (!log_wants(LOG_LEVEL_INFO))
        return;
    log_fields_init(&fields, "");
    log_field(&fields, "verify", "none");
    log_field(&fields, "verdict", rb_verdict_name(RB_VERDICT_UNKNOWN));
    log_field(&fields, "reason", rb_reason_name(RB_REASON_EXEMPT));
    log_field(&fields, "rule", exemption_name(exemption));
    log_field(&fields, "action", action_name(ACTION_ACCEPT));
    log_field(&fields, "client", session->client_text);
    log_fields_write(LOG_LEVEL_INFO, &fields);
}
