/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * visit: one session with one address of one mail host; see visit.h. The real address before the
 * probe, the null sender before the fallback, TLS before clear; what the host answered is answered
 * for good, the rest is put by for the next host.
 */
#include "config.h"

#include "visit.h"

#include "classify.h"
#include "dialogue.h"
#include "text.h"
#include "transport.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A month: long enough for every greylist, short enough that the probe address is no fixture of
 * spam lists. */
enum { PROBE_PERIOD_S = 30 * 86400 };

/* After so many errors in a session Postfix delays its replies (smtpd_soft_error_limit). */
enum { REFUSALS_MAX = 10 };

/* One connection. */
struct session {
    struct run *run;
    const char *mx;
    struct sockaddr_storage address;
    struct transport transport;
    struct dialogue dialogue;
    unsigned asked, refused;
    deadline until;            /* of what is asked for now, its probe included */
    bool served;               /* some address was answered for: the host is one that talks to us */
    bool worn_out;             /* nothing more is to be asked for in it */
    bool told;                 /* hooks.called was */
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
        run_record(session->run, answer->reason, answer->stage, answer->rule);

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

/* The transport gave up: in the dialogue's words. */
static void tell_dialogue(struct dialogue *dialogue, enum transport_status status)
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
        [TRANSPORT_GAVE_WAY] = {RB_REASON_UNREACHABLE, "gave_way"},
        [TRANSPORT_NO_ROUTE] = {RB_REASON_UNREACHABLE, "no_route"},
        [TRANSPORT_SYSTEM] = {RB_REASON_INTERNAL_ERROR, "no_socket"},
    };

    if (status != TRANSPORT_OK)
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
    const struct run *run = session->run;
    const struct callout *callout = run->callout;
    const struct rb_options *o = &callout->options->o;
    const struct callout_item *first = run->todo;
    struct transport_settings settings = {
        .clock = callout->clock,
        .until = run->until,
        .connect_timeout_ms = o->connect_timeout_ms,
        .command_timeout_ms = o->command_timeout_ms,
        .cancel_fd = callout->cancel_fd,
        .patience = callout->patience,
        .bind = source_address(callout, session->address.ss_family),
        .tls_context = callout->tls_context,
        .mx = session->mx,
        .transcript = first->transcript,
        .transcript_start_ms = first->asked_ms,
    };
    enum transport_status status;

    dialogue_init(&session->dialogue, o->helo_name, use_tls);
    session->dialogue.lmtp = run->lmtp;
    status = transport_connect(&session->transport, &settings, &session->address);
    if (status != TRANSPORT_OK) {
        tell_dialogue(&session->dialogue, status);
        session->dialogue.answer.stage = RB_STAGE_CONNECT;
        transport_remark(&session->transport, session->dialogue.answer.rule);
        return status;
    }
    session->dialogue.source_ip = session->transport.source_ip;
    status = transport_drive(&session->transport, &session->dialogue);
    if (status != TRANSPORT_TIMEOUT && status != TRANSPORT_GAVE_WAY)
        session->run->stirred = true;
    return status;
}

/* Up to the point where a question may be asked. TLS where offered; where it breaks, once more in
 * clear. */
static bool session_open(struct session *session)
{
    bool use_tls = session->run->callout->options->o.tls;
    enum transport_status status = session_connect(session, use_tls);

    if (status == TRANSPORT_TLS_FAILED) {
        transport_remark(&session->transport, "TLS handshake failed, again in clear");
        transport_close(&session->transport);
        status = session_connect(session, false);
    }
    tell_dialogue(&session->dialogue, status);
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
    if (status != TRANSPORT_OK) {
        tell_dialogue(&session->dialogue, status);
        transport_remark(&session->transport, session->dialogue.answer.rule);
    }
}

static struct dialogue_question question_for(const struct run *run, const char *address)
{
    const struct rb_options *o = &run->callout->options->o;
    const char *fallback = o->fallback_mail_from[0] != '\0' ? o->fallback_mail_from : NULL;
    bool refused =
        run->ask_with_fallback || run_knows(run, &run->facts.null_sender_refused, FACT_YES);

    return (struct dialogue_question){
        .address = address,
        .mail_from = refused && fallback != NULL ? fallback : o->mail_from,
        .fallback_mail_from = refused ? NULL : fallback,
    };
}

/* Whether it is known if the domain accepts everything. */
static bool knows_worth(const struct run *run)
{
    return run_knows(run, &run->facts.catch_all, FACT_NO) ||
           run_knows(run, &run->facts.catch_all, FACT_YES);
}

/* Does the domain accept a local part that nobody has? Only 2yz means yes; nothing clear means not
 * known. */
static void ask_for_nobody(struct session *session)
{
    struct run *run = session->run;
    const struct callout *callout = run->callout;
    char local[17], address[sizeof local + 1 + RB_DOMAIN_MAX];
    struct dialogue_question question;
    enum rb_reason reason;

    run->probed = true;
    visit_probe_local(callout->probe_key, callout->domain, clock_wall_s(callout->clock), local);
    (void)snprintf(address, sizeof address, "%s@%s", local, callout->domain);
    question = question_for(run, address);
    /*
     * Whatever our sender is: a host that verifies senders lets the null sender pass, and would
     * call back about any other.
     */
    if (!run->ask_with_fallback && !run_knows(run, &run->facts.null_sender_refused, FACT_YES))
        question.mail_from = "";
    session_ask(session, &question);
    reason = session->dialogue.answer.reason;
    if (reason == RB_REASON_ACCEPTED || reason == RB_REASON_CATCH_ALL)
        run_learn_catch_all(run, true);
    else if (rb_reason_verdict(reason) == RB_VERDICT_INVALID)
        run_learn_catch_all(run, false);
}

/* The host accepted the address: worth as much as is known of the domain. */
static void answer_accepted(const struct run *run, struct callout_item *item,
                            struct address_record *record)
{
    if (run_knows(run, &run->facts.catch_all, FACT_YES)) {
        record->reason = RB_REASON_CATCH_ALL;
        (void)text_copy(record->rule, sizeof record->rule, "accepts_every_local_part");
    }
    run_answer(run, item, record);
}

/* Finds out for all that wait for it. */
static void session_probe(struct session *session)
{
    static const struct fact not_known = {.state = FACT_UNKNOWN};
    struct run *run = session->run;
    const struct callout_hooks *hooks = &run->callout->hooks;
    struct callout_item *parked, *next;

    ask_for_nobody(session);
    parked = hooks->end_probe(hooks->arg, knows_worth(run) ? &run->facts.catch_all : &not_known);
    for (; parked != NULL; parked = next) {
        next = parked->next;
        answer_accepted(run, parked, &parked->best);
    }
}

/*
 * The host accepted the address; what is that worth? False: the item waits for another session's
 * probe.
 */
static bool weigh_acceptance(struct session *session, struct callout_item *item,
                             const struct address_record *record)
{
    struct run *run = session->run;
    const struct callout_hooks *hooks = &run->callout->hooks;

    if (knows_worth(run) || run->probed || session->dialogue.need != DIALOGUE_NEED_QUESTION)
        return true;
    switch (hooks->begin_probe(hooks->arg, item, record, &run->facts.catch_all)) {
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
    struct run *run = session->run;
    bool accepted =
        record->reason == RB_REASON_ACCEPTED && run->callout->options->o.catch_all_check;
    bool settled = !accepted || weigh_acceptance(session, item, record);

    session->served = true;
    if (rb_reason_verdict(record->reason) == RB_VERDICT_INVALID)
        session->refused++;
    session->how = run_record(run, RB_REASON_ACCEPTED, RB_STAGE_NONE, "");
    transport_transcript(&session->transport, NULL, 0); /* it goes with the answer */
    if (!settled)
        return;
    if (accepted)
        answer_accepted(run, item, record);
    else
        run_answer(run, item, record);
}

static bool decides(enum rb_reason reason)
{
    return reason == RB_REASON_CATCH_ALL || classify_is_about_mailbox(reason);
}

/* What a transaction's end says of the host, beside what it says of the address. */
static void note_host(struct session *session, const struct address_record *record)
{
    bool lost = session->dialogue.need == DIALOGUE_OVER && record->code == 0;

    if (session->served)
        return;
    if (record->reason == RB_REASON_BLOCKED || record->reason == RB_REASON_PROTOCOL_ERROR ||
        record->code == 421 || (lost && record->reason == RB_REASON_UNREACHABLE))
        session->how = *record;
}

/* Did the host refuse the null sender? It is learned where the fallback was taken instead. */
static void note_null_sender(struct session *session, const struct dialogue_question *question,
                             const struct address_record *record)
{
    struct run *run = session->run;

    if (run->ask_with_fallback && record->code != 0 && record->stage == RB_STAGE_RCPT &&
        !run_knows(run, &run->facts.null_sender_refused, FACT_YES))
        run_learn_null_sender(run);
    if (!session->dialogue.answer.null_sender_refused)
        return;
    if (record->reason != RB_REASON_NULL_SENDER_REFUSED) {
        run_learn_null_sender(run);
    } else if (session->dialogue.need == DIALOGUE_OVER && question->fallback_mail_from != NULL &&
               strcmp(record->mail_from, question->mail_from) == 0) {
        /* Closed over it: the fallback was never heard. */
        run->ask_with_fallback = run->again = true;
    }
}

/*
 * The host had answered before, and now closes without a word about this address, or takes no more
 * recipients (452, RFC 5321 4.5.3.1.10): sessions wear out (Postfix ends one after 20 refused
 * recipients). That says nothing of the address or the host.
 */
static bool is_worn_out(const struct session *session, const struct address_record *record)
{
    if (session->dialogue.need != DIALOGUE_OVER)
        return session->served && record->code == 452 && record->stage == RB_STAGE_RCPT &&
               (record->enhanced[0] == '\0' || strcmp(record->enhanced, "4.5.3") == 0);
    return session->asked > 1 &&
           (record->code == 421 || strcmp(record->rule, "connection_lost") == 0);
}

/* What was to be asked for in this session is, in another one. */
static void wear_out(struct session *session, struct callout_item *item)
{
    struct run *run = session->run;

    session->worn_out = true;
    run->again = true;
    run->until = deadline_in(run->callout->clock, run->callout->options->o.total_timeout_ms);
    run_put_by(&run->todo, item);
}

/* Asks for one item, and answers it or puts it by: for the next host, or for this one once more. */
static void session_item(struct session *session, struct callout_item *item)
{
    struct run *run = session->run;
    const struct rb_options *o = &run->callout->options->o;
    struct dialogue_question question = question_for(run, item->address);
    struct address_record record;

    question.needs_utf8 = item->needs_utf8;
    question.data = o->data_check && run_knows(run, &run->facts.catch_all, FACT_YES);
    transport_transcript(&session->transport, item->transcript, item->asked_ms);
    if (session->asked > 1)
        transport_remark(&session->transport, "in a session that is open already");
    session_ask(session, &question);
    record = record_of_session(session);
    if (is_worn_out(session, &record)) {
        wear_out(session, item);
        return;
    }
    note_host(session, &record);
    note_null_sender(session, &question, &record);
    if (decides(record.reason)) {
        session_answer(session, item, &record);
        return;
    }
    run_consider(item, &record);
    run_put_by(run->again ? &run->todo : &run->later, item);
}

/* Hosts count recipients, and other destinations wait for this worker. */
static struct callout_item *take_another(struct run *run)
{
    struct callout_item *item;

    if (run->taken >= CALLOUT_SESSION_QUESTIONS_MAX || run_gives_way(run))
        return NULL;
    item = run_take(run);
    if (item != NULL)
        run->taken++;
    return item;
}

/* The owner is told how the host took the call. */
static void tell_owner(struct session *session)
{
    const struct callout_hooks *hooks = &session->run->callout->hooks;

    if (!session->told)
        hooks->called(hooks->arg, session->run->host, &session->how);
    session->told = true;
}

/* Whether a session with nothing more to ask is left in a state in which it can be kept. */
static bool can_rest(struct session *session)
{
    struct run *run = session->run;
    const struct callout *callout = run->callout;
    const unsigned idle_ms = callout->options->o.idle_timeout_ms;

    if (idle_ms == 0 || !session->served || run->later != NULL || run_gives_way(run) ||
        run->taken >= CALLOUT_SESSION_QUESTIONS_MAX || session->refused >= REFUSALS_MAX ||
        !callout->hooks.may_rest(callout->hooks.arg, run->host))
        return false;
    session->transport.settings.until = deadline_in(callout->clock, idle_ms);
    dialogue_reset(&session->dialogue);
    tell_dialogue(&session->dialogue, transport_drive(&session->transport, &session->dialogue));
    return session->dialogue.need == DIALOGUE_NEED_QUESTION;
}

/*
 * Waits for another address, with the session open. NULL: none came, or the host has meanwhile had
 * enough of the session.
 */
static struct callout_item *rest(struct session *session)
{
    struct run *run = session->run;
    const struct callout_hooks *hooks = &run->callout->hooks;
    struct callout_item *item = NULL;

    if (!can_rest(session))
        return NULL;
    tell_owner(session);
    while (item == NULL && !run_gives_way(run) && hooks->rest(hooks->arg, run->host))
        item = take_another(run);
    if (item == NULL)
        return NULL;
    if (!transport_is_quiet(&session->transport)) {
        transport_close(&session->transport);
        wear_out(session, item);
        return NULL;
    }
    run->until = deadline_in(run->callout->clock, run->callout->options->o.total_timeout_ms);
    return item;
}

/* The run's time is that of its first address; those asked for behind it have their own. */
static deadline time_for_item(const struct session *session)
{
    const struct run *run = session->run;

    return session->asked > 1
               ? deadline_in(run->callout->clock, run->callout->options->o.total_timeout_ms)
               : run->until;
}

/*
 * Asks for everything there is, as long as the host goes along. What the host did not answer is in
 * run->later then, what it was not asked for in run->todo.
 */
static void session_items(struct session *session)
{
    struct run *run = session->run;
    struct callout_item *unasked = run->todo, *item;

    run->todo = NULL;
    while (session->dialogue.need == DIALOGUE_NEED_QUESTION && !session->worn_out) {
        item = unasked;
        if (item != NULL)
            unasked = item->next;
        else if ((item = take_another(run)) == NULL && (item = rest(session)) == NULL)
            break;
        session->asked++;
        session->until = time_for_item(session);
        session_item(session, item);
    }
    while ((item = unasked) != NULL) { /* the session was lost before they were asked */
        bool served = session->how.reason == RB_REASON_ACCEPTED;

        unasked = item->next;
        if (!served)
            run_consider(item, &session->how);
        run_put_by(served ? &run->todo : &run->later, item);
        run->again = run->again || served;
    }
}

/* Calls one address of one mail host. */
void visit_address(struct run *run, const char *mx, const struct sockaddr_storage *address)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL) {
        const struct address_record none =
            run_record(run, RB_REASON_INTERNAL_ERROR, RB_STAGE_CONNECT, "no_memory");

        run_consider_all(run, &none);
        return;
    }
    session->run = run;
    session->mx = mx;
    session->address = *address;
    session->how = run_record(run, RB_REASON_ACCEPTED, RB_STAGE_NONE, "");
    if (session_open(session)) {
        run->reached = true;
        run_learn_alive(run);
        session_items(session);
    } else {
        run_consider_all(run, &session->how);
    }
    if (strcmp(session->how.rule, "no_route") == 0)
        run->no_route++;
    else if (session->how.reason != RB_REASON_TIMEOUT &&
             session->how.reason != RB_REASON_INTERNAL_ERROR)
        tell_owner(session);
    transport_quit(&session->transport, &session->dialogue);
    free(session);
}

void visit_probe_local(const uint8_t key[32], const char *domain, int64_t now_s, char local[17])
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
