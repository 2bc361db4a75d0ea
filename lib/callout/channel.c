/* SPDX-License-Identifier: BSD-2-Clause */
/* channel: a transport and a dialogue as one; see channel.h. */
#include "config.h"

#include "callout/channel.h"

#include "base/text.h"

#include <string.h>

/*
 * What the transport came to: where it gave up, the dialogue is told so. QUIT is still said when
 * all callouts end, and where the channel was reset for others and the host takes its time.
 */
static void note_status(struct channel *channel, enum wire_status status)
{
    const struct {
        enum rb_reason reason;
        const char *rule;
    } meaning[] = {
        [WIRE_REFUSED] = {RB_REASON_UNREACHABLE, "connection_refused"},
        [WIRE_TIMEOUT] = {RB_REASON_UNREACHABLE, "host_silent"},
        [WIRE_CLOSED] = {RB_REASON_UNREACHABLE, "connection_lost"},
        [WIRE_TLS_FAILED] = {RB_REASON_TLS_REQUIRED, "tls_handshake_failed"},
        [WIRE_CANCELLED] = {RB_REASON_TIMEOUT, "cut_short"},
        [WIRE_YIELDED] = {RB_REASON_LIMITED, rb_limit_name(RB_LIMIT_YIELDED)},
        [WIRE_NO_ROUTE] = {RB_REASON_UNREACHABLE, "no_route"},
        [WIRE_SYSTEM] = {RB_REASON_INTERNAL_ERROR, "no_socket"},
    };
    struct dialogue *dialogue = &channel->dialogue;
    const bool late_reset =
        status == WIRE_TIMEOUT && !dialogue->asking && dialogue_stage(dialogue) == RB_STAGE_RSET;

    channel->status = status;
    if (status == WIRE_OK)
        return;
    if (status == WIRE_CANCELLED || late_reset)
        dialogue_break_off(dialogue, meaning[status].reason, meaning[status].rule);
    else
        dialogue_fail(dialogue, meaning[status].reason, meaning[status].rule);
}

/* The source address for a destination: always the same one of its family, for greylists know
 * callers by it. */
static const struct sockaddr_storage *source_address(const struct callout *callout, int family)
{
    const struct options *options = callout->options;
    const struct sockaddr_storage *fit[OPTIONS_BIND_MAX];
    size_t fits = 0, hash = 5381;

    for (size_t i = 0; i < options->bind_count; i++)
        if (options->bind[i].ss_family == family)
            fit[fits++] = &options->bind[i];
    for (const char *c = callout->domain; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    return fits == 0 ? NULL : fit[hash % fits];
}

static struct transport_settings settings_for(const struct channel *channel)
{
    const struct attempt *attempt = channel->attempt;
    const struct callout *callout = attempt->callout;

    return (struct transport_settings){
        .clock = callout->clock,
        .until = attempt->until,
        .connect_timeout_ms = callout->options->o.connect_timeout_ms,
        .command_timeout_ms = callout->options->o.command_timeout_ms,
        .cancel_fd = callout->cancel_fd,
        .stall = callout->stall,
        .bind = source_address(callout, channel->address.ss_family),
        .tls_context = callout->tls_context,
        .mx = channel->mx,
        .transcript = attempt->todo->transcript,
        .transcript_start_ms = attempt->todo->asked_ms,
    };
}

static enum wire_status connect_once(struct channel *channel, bool use_tls)
{
    const struct transport_settings settings = settings_for(channel);
    struct attempt *attempt = channel->attempt;
    enum wire_status status;

    dialogue_init(&channel->dialogue, attempt->callout->options->o.helo_name, use_tls);
    channel->dialogue.lmtp = attempt->lmtp;
    status = transport_connect(&channel->transport, &settings, &channel->address);
    if (status != WIRE_OK) {
        note_status(channel, status);
        channel->dialogue.answer.stage = RB_STAGE_CONNECT;
        transport_remark(&channel->transport, channel->dialogue.answer.rule);
        return status;
    }
    channel->dialogue.source_ip = channel->transport.source_ip;
    status = transport_drive(&channel->transport, &channel->dialogue);
    if (status != WIRE_TIMEOUT && status != WIRE_YIELDED)
        attempt->host_reacted = true;
    if (channel->dialogue.greeted)
        attempt_note_greeting(attempt, channel->mx);
    return status;
}

bool channel_open(struct channel *channel)
{
    const bool use_tls = channel->attempt->callout->options->o.tls != RB_TLS_NEVER;
    enum wire_status status = connect_once(channel, use_tls);

    if (status == WIRE_TLS_FAILED) {
        transport_remark(&channel->transport, "TLS handshake failed, again in clear");
        transport_close(&channel->transport);
        status = connect_once(channel, false);
    }
    note_status(channel, status);
    return channel_can_ask(channel);
}

bool channel_can_ask(const struct channel *channel)
{
    return channel->dialogue.need == DIALOGUE_NEED_QUESTION;
}

static void drive(struct channel *channel, deadline until)
{
    channel->transport.settings.until = until;
    note_status(channel, transport_drive(&channel->transport, &channel->dialogue));
}

static void await_answer(struct channel *channel, deadline until)
{
    drive(channel, until);
    if (channel->status != WIRE_OK)
        transport_remark(&channel->transport, channel->dialogue.answer.rule);
}

void channel_ask(struct channel *channel, const struct dialogue_question *question, deadline until)
{
    dialogue_ask(&channel->dialogue, question);
    await_answer(channel, until);
}

void channel_ask_verb(struct channel *channel, const char *line, deadline until)
{
    dialogue_ask_verb(&channel->dialogue, line);
    await_answer(channel, until);
}

bool channel_reset(struct channel *channel, deadline until)
{
    dialogue_reset(&channel->dialogue);
    drive(channel, until);
    return channel_can_ask(channel);
}

void channel_record(const struct channel *channel, struct address_record *record)
{
    const struct dialogue_answer *answer = &channel->dialogue.answer;
    const struct sockaddr_storage *address = &channel->address;

    attempt_record(channel->attempt, answer->reason, answer->stage, answer->rule, record);
    if (record->reason == RB_REASON_LIMITED) /* by note_status: no host says so */
        address_record_limit(record, RB_LIMIT_YIELDED);
    record->code = answer->code;
    record->wait_s = answer->wait_s;
    record->port = address->ss_family != AF_UNIX ? ip_sockaddr_port(address) : 0;
    (void)text_copy(record->mx, sizeof record->mx, channel->mx);
    (void)text_copy(record->ip, sizeof record->ip, channel->transport.ip);
    (void)text_copy(record->tls, sizeof record->tls, channel->transport.tls_version);
    memcpy(record->enhanced, answer->enhanced, sizeof record->enhanced);
    memcpy(record->reply, answer->reply, sizeof record->reply);
    if (answer->mail_from != NULL) {
        record->mail_from_known = true;
        (void)text_copy(record->mail_from, sizeof record->mail_from, answer->mail_from);
    }
}
