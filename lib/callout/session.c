/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one session with one address of one mail host; see session.h. The real address before the
 * probe, the null sender before the fallback, TLS before clear; what the host answered is answered
 * for good, the rest is put by for the next host.
 */
#include "config.h"

#include "callout/session.h"

#include "smtp/classify.h"
#include "smtp/dialogue.h"
#include "base/text.h"
#include "smtp/transport.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A month: long enough for every greylist, short enough that the probe address is no fixture of
 * spam lists. */
enum { PROBE_PERIOD_S = 30 * 86400 };

/* What hosts count in a session. It is left before they lose patience; what is left goes on in
 * another. */
enum {
    /*
     * Exim drops a session at the eleventh command that brings no mail (smtp_accept_max_nonmail), and
     * each RSET but the first is one. No question is begun after ten transactions; the last one may
     * take two more, with the fallback sender and for the probe: that is eleven RSETs.
     */
    SESSION_TRANSACTIONS_MAX = 10,
    /*
     * Postfix lets us wait for a second before each reply from the tenth refusal on, and hangs up at
     * the twentieth (smtpd_soft_error_limit, smtpd_hard_error_limit); Sendmail at the 25th.
     */
    SESSION_REFUSALS_MAX = 9,
    /*
     * Courier lets each refusal of a session wait longer than the one before, from 8 s to over 30; in
     * a new one it begins anew. What is slower than this, and half as slow again as the quickest so
     * far, is no accident.
     */
    SESSION_SLOW_REFUSAL_MS = 5000,
};

/* One connection. */
struct session {
    struct attempt *attempt;
    const char *mx;
    struct sockaddr_storage address;
    struct transport transport;
    struct dialogue dialogue;
    enum transport_status status; /* of what was done last */
    unsigned asked;
    int64_t quickest_refusal_ms; /* 0: none so far */
    deadline until;              /* of what is asked for now, its probe included */
    bool got_answer;           /* some address was answered for: the host is one that talks to us */
    bool exhausted;            /* nothing more is to be asked for in it */
    bool reported;             /* hooks.called was */
    struct address_record how; /* what to tell hooks.called */
};

static uint16_t port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX)
        return 0;
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

/* What the session's last transaction, or its failure, says. */
static struct address_record record_of_session(const struct session *session)
{
    const struct dialogue_answer *answer = &session->dialogue.answer;
    struct address_record record =
        attempt_record(session->attempt, answer->reason, answer->stage, answer->rule);

    record.code = answer->code;
    record.wait_s = answer->wait_s;
    record.port = port_of(&session->address);
    (void)text_copy(record.mx, sizeof record.mx, session->mx);
    (void)text_copy(record.ip, sizeof record.ip, session->transport.ip);
    (void)text_copy(record.tls, sizeof record.tls, session->transport.tls_version);
    memcpy(record.enhanced, answer->enhanced, sizeof record.enhanced);
    memcpy(record.reply, answer->reply, sizeof record.reply);
    if (answer->mail_from != NULL) {
        record.mail_from_known = true;
        (void)text_copy(record.mail_from, sizeof record.mail_from, answer->mail_from);
    }
    return record;
}

/*
 * What the transport came to: where it gave up, in the dialogue's words. QUIT is still said at the
 * end of the program, and where a session was reset for others and the host takes its time.
 */
static void note_status(struct session *session, enum transport_status status)
{
    static const struct {
        enum rb_reason reason;
        const char *rule;
    } meaning[] = {
        [TRANSPORT_REFUSED] = {RB_REASON_UNREACHABLE, "connection_refused"},
        [TRANSPORT_TIMEOUT] = {RB_REASON_UNREACHABLE, "host_silent"},
        [TRANSPORT_CLOSED] = {RB_REASON_UNREACHABLE, "connection_lost"},
        [TRANSPORT_TLS_FAILED] = {RB_REASON_TLS_REQUIRED, "tls_handshake_failed"},
        [TRANSPORT_CANCELLED] = {RB_REASON_TIMEOUT, "cut_short"},
        [TRANSPORT_YIELDED] = {RB_REASON_LIMITED, "gave_way"},
        [TRANSPORT_NO_ROUTE] = {RB_REASON_UNREACHABLE, "no_route"},
        [TRANSPORT_SYSTEM] = {RB_REASON_INTERNAL_ERROR, "no_socket"},
    };

    struct dialogue *dialogue = &session->dialogue;
    bool late_reset = status == TRANSPORT_TIMEOUT && !dialogue->asking &&
                      dialogue_stage(dialogue) == RB_STAGE_RSET;

    session->status = status;
    if (status == TRANSPORT_OK)
        return;
    if (status == TRANSPORT_CANCELLED || late_reset)
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

static enum transport_status session_connect(struct session *session, bool use_tls)
{
    const struct attempt *attempt = session->attempt;
    const struct callout *callout = attempt->callout;
    const struct rb_options *o = &callout->options->o;
    const struct callout_item *first = attempt->todo;
    struct transport_settings settings = {
        .clock = callout->clock,
        .until = attempt->until,
        .connect_timeout_ms = o->connect_timeout_ms,
        .command_timeout_ms = o->command_timeout_ms,
        .cancel_fd = callout->cancel_fd,
        .stall = callout->stall,
        .bind = source_address(callout, session->address.ss_family),
        .tls_context = callout->tls_context,
        .mx = session->mx,
        .transcript = first->transcript,
        .transcript_start_ms = first->asked_ms,
    };
    enum transport_status status;

    dialogue_init(&session->dialogue, o->helo_name, use_tls);
    session->dialogue.lmtp = attempt->lmtp;
    status = transport_connect(&session->transport, &settings, &session->address);
    if (status != TRANSPORT_OK) {
        note_status(session, status);
        session->dialogue.answer.stage = RB_STAGE_CONNECT;
        transport_remark(&session->transport, session->dialogue.answer.rule);
        return status;
    }
    session->dialogue.source_ip = session->transport.source_ip;
    status = transport_drive(&session->transport, &session->dialogue);
    if (status != TRANSPORT_TIMEOUT && status != TRANSPORT_YIELDED)
        session->attempt->host_reacted = true;
    return status;
}

/* Up to the point where a question may be asked. TLS where offered; where it breaks, once more in
 * clear. */
static bool session_open(struct session *session)
{
    bool use_tls = session->attempt->callout->options->o.tls != RB_TLS_NEVER;
    enum transport_status status = session_connect(session, use_tls);

    if (status == TRANSPORT_TLS_FAILED) {
        transport_remark(&session->transport, "TLS handshake failed, again in clear");
        transport_close(&session->transport);
        status = session_connect(session, false);
    }
    note_status(session, status);
    if (session->dialogue.need == DIALOGUE_NEED_QUESTION)
        return true;
    session->how = record_of_session(session);
    return false;
}

/* Asks one thing and waits for what comes of it. */
static void session_ask(struct session *session, const struct dialogue_question *question)
{
    enum transport_status status;

    session->transport.settings.until = session->until;
    dialogue_ask(&session->dialogue, question);
    status = transport_drive(&session->transport, &session->dialogue);
    note_status(session, status);
    if (status != TRANSPORT_OK)
        transport_remark(&session->transport, session->dialogue.answer.rule);
}

static struct dialogue_question question_for(const struct attempt *attempt, const char *address)
{
    const struct rb_options *o = &attempt->callout->options->o;
    const char *fallback = o->fallback_mail_from[0] != '\0' ? o->fallback_mail_from : NULL;
    bool refused = attempt->ask_with_fallback ||
                   attempt_knows(attempt, &attempt->facts.null_sender_refused, FACT_YES);

    return (struct dialogue_question){
        .address = address,
        .mail_from = refused && fallback != NULL ? fallback : o->mail_from,
        .fallback_mail_from = refused ? NULL : fallback,
    };
}

/* Whether it is known if the domain accepts everything. */
static bool knows_worth(const struct attempt *attempt)
{
    return attempt_knows(attempt, &attempt->facts.catch_all, FACT_NO) ||
           attempt_knows(attempt, &attempt->facts.catch_all, FACT_YES);
}

/* Does the domain accept a local part that nobody has? Only 2yz means yes; nothing clear means not
 * known. */
static void ask_for_nobody(struct session *session)
{
    struct attempt *attempt = session->attempt;
    const struct callout *callout = attempt->callout;
    char local[17], address[sizeof local + 1 + RB_DOMAIN_MAX];
    struct dialogue_question question;
    enum rb_reason reason;

    attempt->probed = true;
    session_probe_local(callout->probe_key, callout->domain, clock_wall_s(callout->clock), local);
    (void)snprintf(address, sizeof address, "%s@%s", local, callout->domain);
    question = question_for(attempt, address);
    /*
     * Whatever our sender is: a host that verifies senders lets the null sender pass, and would
     * call back about any other.
     */
    if (!attempt->ask_with_fallback &&
        !attempt_knows(attempt, &attempt->facts.null_sender_refused, FACT_YES))
        question.mail_from = "";
    session_ask(session, &question);
    reason = session->dialogue.answer.reason;
    if (reason == RB_REASON_ACCEPTED || reason == RB_REASON_CATCH_ALL)
        attempt_learn_catch_all(attempt, true);
    else if (rb_reason_verdict(reason) == RB_VERDICT_INVALID)
        attempt_learn_catch_all(attempt, false);
}

/* The host accepted the address: worth as much as is known of the domain. */
static void answer_accepted(const struct attempt *attempt, struct callout_item *item,
                            struct address_record *record)
{
    if (attempt_knows(attempt, &attempt->facts.catch_all, FACT_YES)) {
        record->reason = RB_REASON_CATCH_ALL;
        (void)text_copy(record->rule, sizeof record->rule, "accepts_every_local_part");
    }
    attempt_answer(attempt, item, record);
}

/* Finds out for all that wait for it. */
static void session_probe(struct session *session)
{
    static const struct fact not_known = {.state = FACT_UNKNOWN};
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;
    struct callout_item *parked, *next;

    ask_for_nobody(session);
    parked =
        hooks->end_probe(hooks->arg, knows_worth(attempt) ? &attempt->facts.catch_all : &not_known);
    for (; parked != NULL; parked = next) {
        next = parked->next;
        answer_accepted(attempt, parked, &parked->best);
    }
}

/*
 * The host accepted the address; what is that worth? False: the item waits for another session's
 * probe.
 */
static bool weigh_acceptance(struct session *session, struct callout_item *item,
                             const struct address_record *record)
{
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    if (knows_worth(attempt) || attempt->probed || session->dialogue.need != DIALOGUE_NEED_QUESTION)
        return true;
    switch (hooks->begin_probe(hooks->arg, item, record, &attempt->facts.catch_all)) {
    case CALLOUT_PROBE_PARKED:
        return false;
    case CALLOUT_PROBE:
        session_probe(session);
        return true;
    default:
        return true;
    }
}

/* The host has answered about the address: for good. */
static void session_answer(struct session *session, struct callout_item *item,
                           struct address_record *record)
{
    struct attempt *attempt = session->attempt;
    bool accepted =
        record->reason == RB_REASON_ACCEPTED && attempt->callout->options->o.catch_all_check;
    bool settled = !accepted || weigh_acceptance(session, item, record);

    session->got_answer = true;
    session->how = attempt_record(attempt, RB_REASON_ACCEPTED, RB_STAGE_NONE, "");
    transport_transcript(&session->transport, NULL, 0); /* it goes with the answer */
    if (!settled)
        return;
    if (accepted)
        answer_accepted(attempt, item, record);
    else
        attempt_answer(attempt, item, record);
}

static bool decides(enum rb_reason reason)
{
    return reason == RB_REASON_CATCH_ALL || classify_is_about_mailbox(reason);
}

/* What one recipient is refused, by a policy, says nothing of what others would be. */
static bool is_about_us(const struct session *session, const struct address_record *record)
{
    return record->reason == RB_REASON_BLOCKED &&
           session->dialogue.answer.subject != CLASSIFY_RECIPIENT;
}

/* What a transaction's end says of the host, beside what it says of the address. */
static void note_host(struct session *session, const struct address_record *record)
{
    bool lost = session->dialogue.need == DIALOGUE_OVER && record->code == 0;

    if (session->got_answer)
        return;
    if (is_about_us(session, record) || record->reason == RB_REASON_PROTOCOL_ERROR ||
        record->code == 421 || (lost && record->reason == RB_REASON_UNREACHABLE))
        session->how = *record;
}

/* Did the host refuse the null sender? It is learned where the fallback was taken instead. */
static void note_null_sender(struct session *session, const struct dialogue_question *question,
                             const struct address_record *record)
{
    struct attempt *attempt = session->attempt;

    if (attempt->ask_with_fallback && record->code != 0 && record->stage == RB_STAGE_RCPT &&
        !attempt_knows(attempt, &attempt->facts.null_sender_refused, FACT_YES))
        attempt_learn_null_sender(attempt);
    if (!session->dialogue.answer.null_sender_refused)
        return;
    if (record->reason != RB_REASON_NULL_SENDER_REFUSED) {
        attempt_learn_null_sender(attempt);
    } else if (session->dialogue.need == DIALOGUE_OVER && question->fallback_mail_from != NULL &&
               strcmp(record->mail_from, question->mail_from) == 0) {
        /* Closed over it: the fallback was never heard. */
        attempt->ask_with_fallback = attempt->reconnect = true;
    }
}

/* --- When hosts have had enough ------------------------------------------ */

/* Courier's way to let us know: see SESSION_SLOW_REFUSAL_MS. */
static void note_refusal(struct session *session, int64_t took_ms)
{
    const int64_t quickest_ms = session->quickest_refusal_ms;

    if (quickest_ms > 0 && took_ms >= SESSION_SLOW_REFUSAL_MS && 2 * took_ms >= 3 * quickest_ms)
        session->exhausted = true;
    if (quickest_ms == 0 || took_ms < quickest_ms)
        session->quickest_refusal_ms = took_ms > 0 ? took_ms : 1;
}

/*
 * The host had answered before, and now has had enough of the session: it closes without a word
 * about this address, takes no more recipients (452, RFC 5321 4.5.3.1.10), names a limit of the
 * session, or speaks of us. That says nothing of the address or the host: Postfix ends a session
 * after 20 refused recipients.
 */
static bool has_had_enough(const struct session *session, const struct address_record *record)
{
    /* What it answered before it closed stands. */
    const bool lost = session->status == TRANSPORT_CLOSED && record->code == 0;

    if (session->asked == 1)
        return false;
    if (session->dialogue.answer.subject == CLASSIFY_SESSION || record->code == 421 || lost)
        return true;
    return session->got_answer &&
           (is_about_us(session, record) ||
            (record->code == 452 && record->stage == RB_STAGE_RCPT &&
             (record->enhanced[0] == '\0' || strcmp(record->enhanced, "4.5.3") == 0)));
}

/* Another session with the host is to follow: it has its own time. */
static void reconnect(struct attempt *attempt)
{
    attempt->reconnect = true;
    attempt->until =
        deadline_in(attempt->callout->clock, attempt->callout->options->o.total_timeout_ms);
}

/* What was to be asked for in this session is, first of all, in another one. */
static void exhaust(struct session *session, struct callout_item *item)
{
    session->exhausted = true;
    reconnect(session->attempt);
    attempt_put_by(&session->attempt->todo, item);
}

/* Whether the host would soon have enough. */
static bool is_exhausted(const struct session *session)
{
    return session->exhausted || session->dialogue.transactions >= SESSION_TRANSACTIONS_MAX ||
           session->dialogue.refusals >= SESSION_REFUSALS_MAX;
}

/*
 * The host takes no further session, as long as others of ours are open: what is left is for them,
 * or for later. False: there are none, so that it is a failure like any other. may_lag: the host may
 * still have counted one that had just ended.
 */
static bool hand_back(struct session *session, bool may_lag)
{
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    if (!hooks->turned_away(hooks->arg, attempt->host, may_lag))
        return false;
    transport_remark(&session->transport, "one connection too many: later");
    session->exhausted = attempt->full = true;
    return true;
}

/*
 * The host says that it is too much for now: it is left alone for a while, with all that is still to
 * be asked there.
 */
static void pause_host(struct session *session, struct address_record *record)
{
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    hooks->too_much(hooks->arg, attempt->host);
    transport_remark(&session->transport, "too much for the host: it is left alone for a while");
    session->exhausted = attempt->paused = true;
    record->reason = RB_REASON_LIMITED;
    (void)text_copy(record->rule, sizeof record->rule, "host_paused");
}

/* --- Asking -------------------------------------------------------------- */

/*
 * Whether the host says that we are too much for it now. A greylist may speak of pace, but means
 * time.
 */
static bool is_too_much(const struct session *session, const struct address_record *record)
{
    return record->code >= 400 && record->reason != RB_REASON_GREYLISTED &&
           session->dialogue.answer.subject == CLASSIFY_PACE;
}

/* True: the host would have none of it now, and the item is put by for when it has. */
static bool is_put_off(struct session *session, struct callout_item *item,
                       struct address_record *record)
{
    struct attempt *attempt = session->attempt;
    bool may_be_number = record->code == 421 && session->asked == 1 && !item->turned_away;

    if (may_be_number && hand_back(session, false)) {
        item->turned_away = true;
        attempt_put_by(&attempt->todo, item);
        return true;
    }
    if (is_too_much(session, record)) {
        pause_host(session, record);
        attempt_limit(item, record);
        attempt_put_by(&attempt->todo, item);
        return true;
    }
    if (has_had_enough(session, record)) {
        exhaust(session, item);
        return true;
    }
    return false;
}

/* Asks for one item, and answers it or puts it by: for the next host, or for this one once more. */
static void session_item(struct session *session, struct callout_item *item)
{
    struct attempt *attempt = session->attempt;
    const struct rb_options *o = &attempt->callout->options->o;
    struct dialogue_question question = question_for(attempt, item->address);
    const unsigned refusals = session->dialogue.refusals;
    const int64_t asked_ms = clock_monotonic_ms(attempt->callout->clock);
    struct address_record record;

    question.needs_utf8 = item->needs_utf8;
    question.data = o->data_check && attempt_knows(attempt, &attempt->facts.catch_all, FACT_YES);
    transport_transcript(&session->transport, item->transcript, item->asked_ms);
    if (session->asked > 1)
        transport_remark(&session->transport, "in a session that is open already");
    session_ask(session, &question);
    if (session->dialogue.refusals > refusals)
        note_refusal(session, clock_monotonic_ms(attempt->callout->clock) - asked_ms);
    record = record_of_session(session);
    if (is_put_off(session, item, &record))
        return;
    note_host(session, &record);
    note_null_sender(session, &question, &record);
    if (decides(record.reason)) {
        session_answer(session, item, &record);
        return;
    }
    attempt_consider(item, &record);
    attempt_put_by(attempt->reconnect ? &attempt->todo : &attempt->later, item);
}

/* Other destinations wait for this worker. */
static struct callout_item *take_another(struct attempt *attempt)
{
    struct callout_item *item;

    if (attempt->taken >= CALLOUT_SESSION_QUESTIONS_MAX || attempt_must_yield(attempt))
        return NULL;
    item = attempt_take(attempt);
    if (item != NULL)
        attempt->taken++;
    return item;
}

/* The owner is told how the host took the call. */
static void report(struct session *session)
{
    const struct callout_hooks *hooks = &session->attempt->callout->hooks;

    if (!session->reported)
        hooks->called(hooks->arg, session->attempt->host, &session->how);
    session->reported = true;
}

/* Whether a session with nothing more to ask is left in a state in which it can be kept. */
static bool can_keep_open(struct session *session)
{
    struct attempt *attempt = session->attempt;
    const struct callout *callout = attempt->callout;
    const unsigned idle_ms = callout->options->o.idle_timeout_ms;

    if (idle_ms == 0 || !session->got_answer || attempt->later != NULL ||
        attempt_must_yield(attempt) || attempt->taken >= CALLOUT_SESSION_QUESTIONS_MAX ||
        is_exhausted(session) || !callout->hooks.may_keep_open(callout->hooks.arg, attempt->host))
        return false;
    session->transport.settings.until = deadline_in(callout->clock, idle_ms);
    dialogue_reset(&session->dialogue);
    note_status(session, transport_drive(&session->transport, &session->dialogue));
    return session->dialogue.need == DIALOGUE_NEED_QUESTION;
}

/*
 * Waits for another address, with the session open. NULL: none came, or the host has meanwhile had
 * enough of the session.
 */
static struct callout_item *wait_for_more(struct session *session)
{
    struct attempt *attempt = session->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;
    struct callout_item *item = NULL;

    if (!can_keep_open(session))
        return NULL;
    report(session);
    while (item == NULL && !attempt_must_yield(attempt) &&
           hooks->wait_for_more(hooks->arg, attempt->host))
        item = take_another(attempt);
    if (item == NULL)
        return NULL;
    if (!transport_is_quiet(&session->transport)) {
        transport_close(&session->transport);
        exhaust(session, item);
        return NULL;
    }
    attempt->until =
        deadline_in(attempt->callout->clock, attempt->callout->options->o.total_timeout_ms);
    return item;
}

/* The attempt's time is that of its first address; those asked for behind it have their own. */
static deadline time_for_item(const struct session *session)
{
    const struct attempt *attempt = session->attempt;

    return session->asked > 1
               ? deadline_in(attempt->callout->clock, attempt->callout->options->o.total_timeout_ms)
               : attempt->until;
}

/*
 * The session is over before these were asked for. Where the host had answered, or we have left it,
 * they are for another session; else they share what was said of the last one.
 */
static void leave_unasked(struct session *session, struct callout_item *unasked)
{
    struct attempt *attempt = session->attempt;
    struct callout_item **end = &attempt->todo, *item;

    if (unasked == NULL)
        return;
    if (session->how.reason == RB_REASON_ACCEPTED || is_exhausted(session)) {
        while (*end != NULL) /* behind the one that was put by first of all */
            end = &(*end)->next;
        *end = unasked;
        if (!attempt->full && !attempt->paused)
            reconnect(attempt);
        return;
    }
    while ((item = unasked) != NULL) {
        unasked = item->next;
        attempt_consider(item, &session->how);
        attempt_put_by(&attempt->later, item);
    }
}

/*
 * Asks for everything there is, as long as the host goes along. What the host did not answer is in
 * attempt->later then, what it was not asked for in attempt->todo.
 */
static void session_items(struct session *session)
{
    struct attempt *attempt = session->attempt;
    struct callout_item *unasked = attempt->todo, *item;

    attempt->todo = NULL;
    while (session->dialogue.need == DIALOGUE_NEED_QUESTION && !is_exhausted(session)) {
        item = unasked;
        if (item != NULL)
            unasked = item->next;
        else if ((item = take_another(attempt)) == NULL && (item = wait_for_more(session)) == NULL)
            break;
        session->asked++;
        session->until = time_for_item(session);
        session_item(session, item);
    }
    leave_unasked(session, unasked);
}

/* Whether the host, in place of its greeting, says that there are too many of us, or just closes. */
static bool is_one_too_many(const struct session *session)
{
    const struct dialogue_answer *answer = &session->dialogue.answer;

    return answer->code == 421 || answer->subject == CLASSIFY_PACE ||
           session->status == TRANSPORT_CLOSED || session->status == TRANSPORT_REFUSED;
}

/* The session ended before anything could be asked. */
static void not_opened(struct session *session)
{
    struct attempt *attempt = session->attempt;
    struct callout_item *item;

    /* Who refuses connections counts them well, or is not there. */
    if (is_one_too_many(session) && hand_back(session, session->status != TRANSPORT_REFUSED))
        return;
    if (session->dialogue.answer.subject == CLASSIFY_PACE) {
        pause_host(session, &session->how);
        for (item = attempt->todo; item != NULL; item = item->next)
            attempt_limit(item, &session->how);
        return;
    }
    attempt_consider_all(attempt, &session->how);
}

/* Whether what came of the session is news of the host, and not of us or of this moment. */
static bool is_news(const struct session *session)
{
    if (session->got_answer)
        return true;
    if (session->attempt->full || session->attempt->paused)
        return false;
    switch (session->status) {
    case TRANSPORT_NO_ROUTE:
    case TRANSPORT_CANCELLED:
    case TRANSPORT_SYSTEM:
        return false;
    default:
        return session->how.reason != RB_REASON_INTERNAL_ERROR &&
               session->how.reason != RB_REASON_LIMITED;
    }
}

/* That others needed our worker is our affair; to the host's record it was silent. */
static struct address_record kept_waiting(const struct session *session)
{
    struct address_record record = record_of_session(session);

    record.reason = RB_REASON_UNREACHABLE;
    return record;
}

/* Calls one address of one mail host. */
void session_run(struct attempt *attempt, const char *mx, const struct sockaddr_storage *address)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL) {
        const struct address_record none =
            attempt_record(attempt, RB_REASON_INTERNAL_ERROR, RB_STAGE_CONNECT, "no_memory");

        attempt_consider_all(attempt, &none);
        return;
    }
    session->attempt = attempt;
    session->mx = mx;
    session->address = *address;
    session->how = attempt_record(attempt, RB_REASON_ACCEPTED, RB_STAGE_NONE, "");
    if (session_open(session)) {
        attempt->reached = true;
        attempt_learn_alive(attempt);
        session_items(session);
    } else {
        not_opened(session);
    }
    if (session->status == TRANSPORT_NO_ROUTE)
        attempt->no_route++;
    if (session->status == TRANSPORT_YIELDED && !session->got_answer)
        session->how = kept_waiting(session);
    if (is_news(session))
        report(session);
    transport_quit(&session->transport, &session->dialogue);
    free(session);
}

void session_probe_local(const uint8_t key[32], const char *domain, int64_t now_s, char local[17])
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 of them */
    char text[RB_DOMAIN_MAX + 32];
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    unsigned len = 0;

    (void)snprintf(text, sizeof text, "%lld:%s", (long long)(now_s / PROBE_PERIOD_S), domain);
    (void)HMAC(EVP_sha256(), key, 32, (const unsigned char *)text, strlen(text), digest, &len);
    for (size_t i = 0; i < 16; i++)
        local[i] = alphabet[digest[i] % 32];
    local[0] = alphabet[digest[0] % 24]; /* begins with a letter */
    local[16] = '\0';
}
