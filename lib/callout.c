/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callout: from a destination to what its mail hosts say; see callout.h. The order of things: mail
 * hosts from DNS, one after the other until one of them answers about the address (2yz or a 5yz
 * about the mailbox); everything else (4yz, no connection, broken protocol, a 5yz about us) moves
 * on to the next and is remembered as the best non-answer. Must not decide what to do about a
 * verdict, and must not touch the cache.
 */
#include "config.h"

#include "callout.h"

#include "classify.h"
#include "dialogue.h"
#include "text.h"
#include "transcript.h"
#include "transport.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A month: long enough for every greylist, short enough that the probe address is no fixture of
 * spam lists. */
enum { PROBE_PERIOD_S = 30 * 86400 };

/* One run over a destination. */
struct run {
    const struct callout *callout;
    struct callout_item *todo;  /* taken, not yet answered */
    struct callout_item *later; /* not answered by this host: for the next one */
    struct domain_record facts; /* as known at the start, and as learned */
    bool probed;                /* asked for the probe address: not again in this run */
    bool ask_with_fallback;     /* the null sender was refused and the connection lost over it */
    bool again;                 /* a session that served was lost: the host is called once more */
    bool reached;               /* some host got as far as being asked */
    deadline until;
    unsigned taken; /* items */
    unsigned tried, held, bogus, own, no_route, dns_failed, other_version;
};

/* One connection. */
struct session {
    struct run *run;
    const char *mx;
    struct sockaddr_storage address;
    struct transport transport;
    struct dialogue dialogue;
    unsigned asked;
    bool served;               /* some address was answered for: the host is one that talks to us */
    struct address_record how; /* what to tell hooks.called */
};

/* --- Records and answers ------------------------------------------------- */

static struct address_record record_of(const struct run *run, enum rb_reason reason,
                                       enum rb_stage stage, const char *rule)
{
    struct address_record record = {
        .reason = reason,
        .stage = stage,
        .stamp_s = clock_wall_s(run->callout->clock),
    };

    (void)text_copy(record.rule, sizeof record.rule, rule);
    return record;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

/* What the session's last transaction, or its failure, says. */
static struct address_record record_of_session(const struct session *session)
{
    const struct dialogue_answer *answer = &session->dialogue.answer;
    struct address_record record =
        record_of(session->run, answer->reason, answer->stage, answer->rule);

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

/* How much a non-answer tells the admin, and how soon asking again is worth while. */
static int worth(enum rb_reason reason)
{
    static const enum rb_reason by_worth[] = {
        RB_REASON_INTERNAL_ERROR, RB_REASON_TIMEOUT,
        RB_REASON_LIMITED,        RB_REASON_DNS_FAILURE,
        RB_REASON_UNREACHABLE,    RB_REASON_PROTOCOL_ERROR,
        RB_REASON_TLS_REQUIRED,   RB_REASON_NULL_SENDER_REFUSED,
        RB_REASON_REJECTED,       RB_REASON_BLOCKED,
        RB_REASON_TEMPFAIL,       RB_REASON_GREYLISTED,
    };

    for (size_t i = 0; i < sizeof by_worth / sizeof by_worth[0]; i++)
        if (by_worth[i] == reason)
            return (int)i + 1;
    return 0;
}

static void consider(struct callout_item *item, const struct address_record *record)
{
    if (!item->has_best || worth(record->reason) > worth(item->best.reason))
        item->best = *record;
    item->has_best = true;
}

static void consider_all(struct run *run, const struct address_record *record)
{
    struct callout_item *item;

    for (item = run->todo; item != NULL; item = item->next)
        consider(item, record);
}

static void answer(const struct run *run, struct callout_item *item,
                   const struct address_record *record)
{
    run->callout->hooks.answer(run->callout->hooks.arg, item, record);
}

static struct callout_item *take(const struct run *run)
{
    return run->callout->hooks.next(run->callout->hooks.arg);
}

/* --- Facts --------------------------------------------------------------- */

static void learn(struct run *run, struct fact *fact, enum fact_state state)
{
    *fact = (struct fact){.state = state, .stamp_s = clock_wall_s(run->callout->clock)};
}

static void learn_catch_all(struct run *run, bool accepts_everything)
{
    struct domain_record news = {0};

    learn(run, &news.catch_all, accepts_everything ? FACT_YES : FACT_NO);
    run->facts.catch_all = news.catch_all;
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

static void learn_null_sender(struct run *run)
{
    struct domain_record news = {0};

    learn(run, &news.null_sender_refused, FACT_YES);
    run->facts.null_sender_refused = news.null_sender_refused;
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

static void learn_dead(struct run *run, enum rb_reason why)
{
    struct domain_record news = {.dead_reason = why};

    learn(run, &news.dead, FACT_YES);
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

/* A host took the session: what was once found dead is not, whatever made us ask again. */
static void learn_alive(struct run *run)
{
    struct domain_record news = {0};

    if (run->facts.dead.state != FACT_YES)
        return;
    learn(run, &news.dead, FACT_NO);
    run->facts.dead = news.dead;
    run->callout->hooks.learned(run->callout->hooks.arg, &news);
}

static bool live(const struct run *run, const struct fact *fact, enum fact_state state)
{
    return fact->state == state &&
           fact_is_live(fact, run->callout->options->o.lifetimes.domain_ttl_s,
                        clock_wall_s(run->callout->clock));
}

/* --- One session --------------------------------------------------------- */

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
        .bind = source_address(callout, session->address.ss_family),
        .tls_context = callout->tls_context,
        .mx = session->mx,
        .transcript = first->transcript,
        .transcript_start_ms = first->asked_ms,
    };
    enum transport_status status;

    dialogue_init(&session->dialogue, o->helo_name, use_tls);
    status = transport_connect(&session->transport, &settings, &session->address);
    if (status != TRANSPORT_OK) {
        tell_dialogue(&session->dialogue, status);
        session->dialogue.answer.stage = RB_STAGE_CONNECT;
        transport_remark(&session->transport, session->dialogue.answer.rule);
        return status;
    }
    return transport_drive(&session->transport, &session->dialogue);
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
    const struct callout *callout = session->run->callout;
    enum transport_status status;

    session->transport.settings.until =
        deadline_in(callout->clock, callout->options->o.total_timeout_ms);
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
    bool refused = run->ask_with_fallback || live(run, &run->facts.null_sender_refused, FACT_YES);

    return (struct dialogue_question){
        .address = address,
        .mail_from = refused && fallback != NULL ? fallback : o->mail_from,
        .fallback_mail_from = refused ? NULL : fallback,
    };
}

/* Does the domain accept a local part that nobody has? Only 2yz means yes; nothing clear means not
 * known. */
static void session_probe(struct session *session)
{
    struct run *run = session->run;
    const struct callout *callout = run->callout;
    char local[17], address[sizeof local + 1 + RB_DOMAIN_MAX];
    struct dialogue_question question;
    enum rb_reason reason;

    if (run->probed || session->dialogue.need != DIALOGUE_NEED_QUESTION)
        return;
    run->probed = true;
    callout_probe_local(callout->probe_key, callout->domain, clock_wall_s(callout->clock), local);
    (void)snprintf(address, sizeof address, "%s@%s", local, callout->domain);
    question = question_for(run, address);
    session_ask(session, &question);
    reason = session->dialogue.answer.reason;
    if (reason == RB_REASON_ACCEPTED || reason == RB_REASON_CATCH_ALL)
        learn_catch_all(run, true);
    else if (rb_reason_verdict(reason) == RB_VERDICT_INVALID)
        learn_catch_all(run, false);
}

/* The host accepted the address; what is that worth? */
static void weigh_acceptance(struct session *session, struct address_record *record)
{
    struct run *run = session->run;

    if (!live(run, &run->facts.catch_all, FACT_NO) && !live(run, &run->facts.catch_all, FACT_YES))
        session_probe(session);
    if (live(run, &run->facts.catch_all, FACT_YES)) {
        record->reason = RB_REASON_CATCH_ALL;
        (void)text_copy(record->rule, sizeof record->rule, "accepts_every_local_part");
    }
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
        !live(run, &run->facts.null_sender_refused, FACT_YES))
        learn_null_sender(run);
    if (!session->dialogue.answer.null_sender_refused)
        return;
    if (record->reason != RB_REASON_NULL_SENDER_REFUSED) {
        learn_null_sender(run);
    } else if (session->dialogue.need == DIALOGUE_OVER && question->fallback_mail_from != NULL &&
               strcmp(record->mail_from, question->mail_from) == 0) {
        /* Closed over it: the fallback was never heard. */
        run->ask_with_fallback = run->again = true;
    }
}

/*
 * The host had answered before, and now closes without a word about this address: sessions wear out
 * (Postfix ends one after 20 refused recipients). That says nothing of the address or the host.
 */
static bool is_worn_out(const struct session *session, const struct address_record *record)
{
    return session->asked > 1 && session->dialogue.need == DIALOGUE_OVER &&
           (record->code == 421 || strcmp(record->rule, "connection_lost") == 0);
}

static void put_by(struct callout_item **list, struct callout_item *item)
{
    item->next = *list;
    *list = item;
}

/* Asks for one item, and answers it or puts it by: for the next host, or for this one once more. */
static void session_item(struct session *session, struct callout_item *item)
{
    struct run *run = session->run;
    const struct rb_options *o = &run->callout->options->o;
    struct dialogue_question question = question_for(run, item->address);
    struct address_record record;

    question.needs_utf8 = item->needs_utf8;
    question.data = o->data_check && live(run, &run->facts.catch_all, FACT_YES);
    transport_transcript(&session->transport, item->transcript, item->asked_ms);
    session_ask(session, &question);
    record = record_of_session(session);
    if (is_worn_out(session, &record)) {
        run->again = true;
        run->until = deadline_in(run->callout->clock, o->total_timeout_ms);
        put_by(&run->todo, item);
        return;
    }
    note_host(session, &record);
    note_null_sender(session, &question, &record);
    if (decides(record.reason)) {
        if (record.reason == RB_REASON_ACCEPTED && o->catch_all_check)
            weigh_acceptance(session, &record);
        session->served = true;
        session->how = record_of(run, RB_REASON_ACCEPTED, RB_STAGE_NONE, "");
        transport_transcript(&session->transport, NULL, 0); /* it goes with the answer */
        answer(run, item, &record);
        return;
    }
    consider(item, &record);
    put_by(run->again ? &run->todo : &run->later, item);
}

/* Hosts count recipients, and other destinations wait for this worker. */
static struct callout_item *take_another(struct run *run)
{
    if (run->taken >= CALLOUT_SESSION_QUESTIONS_MAX)
        return NULL;
    run->taken++;
    return take(run);
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
    while (session->dialogue.need == DIALOGUE_NEED_QUESTION) {
        item = unasked;
        if (item != NULL)
            unasked = item->next;
        else if ((item = take_another(run)) == NULL)
            break;
        session->asked++;
        session_item(session, item);
    }
    while ((item = unasked) != NULL) { /* the session was lost before they were asked */
        bool served = session->how.reason == RB_REASON_ACCEPTED;

        unasked = item->next;
        if (!served)
            consider(item, &session->how);
        put_by(served ? &run->todo : &run->later, item);
        run->again = run->again || served;
    }
}

/* Calls one address of one mail host. */
static void call_address(struct run *run, const char *mx, const struct sockaddr_storage *address)
{
    const struct callout_hooks *hooks = &run->callout->hooks;
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL) {
        const struct address_record none =
            record_of(run, RB_REASON_INTERNAL_ERROR, RB_STAGE_CONNECT, "no_memory");

        consider_all(run, &none);
        return;
    }
    session->run = run;
    session->mx = mx;
    session->address = *address;
    session->how = record_of(run, RB_REASON_ACCEPTED, RB_STAGE_NONE, "");
    if (session_open(session)) {
        run->reached = true;
        learn_alive(run);
        session_items(session);
    } else {
        consider_all(run, &session->how);
    }
    if (strcmp(session->how.rule, "no_route") == 0)
        run->no_route++;
    else if (session->how.reason != RB_REASON_TIMEOUT &&
             session->how.reason != RB_REASON_INTERNAL_ERROR)
        hooks->called(hooks->arg, session->transport.ip, &session->how);
    transport_quit(&session->transport, &session->dialogue);
    free(session);
}

/* --- Which hosts --------------------------------------------------------- */

static bool time_is_up(const struct run *run)
{
    return deadline_left_ms(run->callout->clock, run->until) == 0;
}

/*
 * Calls an address, and again while sessions are lost that served until then: each of them leaves
 * less to do. Then what it did not answer is for the next.
 */
static void call_until_served(struct run *run, const char *mx,
                              const struct sockaddr_storage *address)
{
    struct callout_item *item;

    do {
        run->again = false;
        call_address(run, mx, address);
    } while (run->again && run->todo != NULL && !time_is_up(run));
    while ((item = run->later) != NULL) {
        run->later = item->next;
        put_by(&run->todo, item);
    }
}

static bool done(const struct run *run)
{
    /* What this machine has no way to was not tried: it cost nothing and tells nothing. */
    unsigned called = run->tried - run->no_route;

    /* Where we are a mail host ourselves, those behind us in the order are not ours to call (RFC 5321 5.1). */
    return run->todo == NULL || run->own > 0 || called >= run->callout->options->o.max_hosts ||
           time_is_up(run);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

/* A note in the transcripts of all that wait. */
static void remark(const struct run *run, const char *mx, const char *ip, const char *text)
{
    int64_t now_ms = clock_monotonic_ms(run->callout->clock);

    for (struct callout_item *item = run->todo; item != NULL; item = item->next)
        transcript_add(item->transcript, now_ms - item->asked_ms, '-', mx, ip, text, strlen(text));
}

/* Whether an address that strangers' DNS named may be called; counts why not. */
static bool guarded(struct run *run, const char *mx, const char *ip,
                    const struct sockaddr_storage *address)
{
    const struct callout *callout = run->callout;
    const struct netguard guard = {
        .allowed = callout->options->o.allowed_networks,
        .allowed_count = callout->options->o.allowed_count,
        .own = callout->own,
        .own_count = callout->own_count,
    };
    const struct sockaddr *to = (const struct sockaddr *)address;

    switch (netguard_judge(&guard, to)) {
    case NETGUARD_CALLABLE:
        return true;
    case NETGUARD_OWN:
        run->own++;
        remark(run, mx, ip, "one of our own addresses: not called");
        return false;
    default:
        run->bogus++;
        remark(run, mx, ip, netguard_kind(to));
        return false;
    }
}

/* Calls the addresses of one mail host, in turn, until nothing is left to ask. */
static void call_addresses(struct run *run, const char *mx, uint16_t port,
                           struct dns_address_list *list, bool trusted)
{
    const struct callout_hooks *hooks = &run->callout->hooks;

    for (size_t i = 0; i < list->count && !done(run); i++) {
        struct sockaddr_storage *address = &list->address[i];
        char ip[46] = "";

        (void)getnameinfo((const struct sockaddr *)address, sizeof *address, ip, sizeof ip, NULL, 0,
                          NI_NUMERICHOST);
        if (!trusted && !guarded(run, mx, ip, address))
            continue;
        if (!hooks->may_call(hooks->arg, ip)) {
            run->held++;
            remark(run, mx, ip, "held back: it failed too often");
            continue;
        }
        set_port(address, port);
        run->tried++;
        call_until_served(run, mx, address);
    }
}

/* A host that can only be reached by the IP version that is not to be used is there all the same. */
static void look_for_other_version(struct run *run, const char *name)
{
    const struct callout *callout = run->callout;
    enum rb_ip_version ours = callout->options->o.ip_version;
    struct dns_address_list list;
    enum dns_outcome outcome;

    if (ours == RB_IP_ANY)
        return;
    outcome = dns_addresses(callout->dns, name, ours == RB_IP_V4 ? RB_IP_V6 : RB_IP_V4, run->until,
                            &list);
    if (outcome == DNS_FOUND)
        run->other_version++;
    else if (outcome == DNS_FAILURE)
        run->dns_failed++;
}

static void call_host(struct run *run, const char *name, uint16_t port, bool trusted)
{
    const struct callout *callout = run->callout;
    struct dns_address_list list;
    enum dns_outcome outcome =
        dns_addresses(callout->dns, name, callout->options->o.ip_version, run->until, &list);
    unsigned bogus = run->bogus;

    if (outcome == DNS_FOUND)
        call_addresses(run, name, port, &list, trusted);
    else if (outcome == DNS_FAILURE)
        run->dns_failed++;
    if (run->bogus > bogus || outcome == DNS_NO_DATA)
        look_for_other_version(run, name);
}

/* An address written out, as in a literal or a relay. False when it is a name. */
static bool literal_address(const char *text, struct sockaddr_storage *address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;

    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    *address = (struct sockaddr_storage){0};
    memcpy(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static void call_literal(struct run *run, const char *text, uint16_t port, bool trusted)
{
    struct dns_address_list list = {.count = 1};

    if (literal_address(text, &list.address[0]))
        call_addresses(run, text, port, &list, trusted);
}

static void call_relay(struct run *run)
{
    const struct callout *callout = run->callout;
    uint16_t port = callout->options->o.port;
    char host[RB_DOMAIN_MAX + 1];
    struct sockaddr_storage address;

    if (!callout_split_relay(callout->relay, host, &port))
        return;
    /* The admin named it: netguard has no say. */
    if (literal_address(host, &address))
        call_literal(run, host, port, true);
    else
        call_host(run, host, port, true);
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
static void call_address_literal(struct run *run)
{
    static const char tag[] = "IPv6:";
    const char *from = run->callout->domain + 1;
    char text[RB_DOMAIN_MAX + 1];

    if (strncmp(from, tag, sizeof tag - 1) == 0)
        from += sizeof tag - 1;
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(from, "]"), from);
    call_literal(run, text, run->callout->options->o.port, false);
}

/* --- How it ends --------------------------------------------------------- */

/* What no host was left to say: for items that have no better non-answer. */
static struct address_record verdict_without_hosts(const struct run *run, enum dns_outcome outcome)
{
    static const struct {
        enum rb_reason reason;
        const char *rule;
    } by_outcome[] = {
        [DNS_NO_DOMAIN] = {RB_REASON_NO_DOMAIN, "nxdomain"},
        [DNS_NULL_MX] = {RB_REASON_NULL_MX, "null_mx"},
        [DNS_FAILURE] = {RB_REASON_DNS_FAILURE, "mx_lookup_failed"},
    };

    if (outcome == DNS_NO_DOMAIN || outcome == DNS_NULL_MX || outcome == DNS_FAILURE)
        return record_of(run, by_outcome[outcome].reason, RB_STAGE_DNS, by_outcome[outcome].rule);
    if (run->held > 0)
        return record_of(run, RB_REASON_LIMITED, RB_STAGE_CONNECT, "hosts_held_back");
    if (run->tried > 0)
        return record_of(run, RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "no_host_answered");
    if (run->dns_failed > 0)
        return record_of(run, RB_REASON_DNS_FAILURE, RB_STAGE_DNS, "address_lookup_failed");
    if (run->own > 0)
        return record_of(run, RB_REASON_EXEMPT, RB_STAGE_DNS, "own_host");
    if (run->other_version > 0)
        return record_of(run, RB_REASON_UNREACHABLE, RB_STAGE_DNS, "other_ip_version");
    if (time_is_up(run))
        return record_of(run, RB_REASON_UNREACHABLE, RB_STAGE_CONNECT, "total_timeout");
    if (run->bogus > 0)
        return record_of(run, RB_REASON_BOGUS_MX, RB_STAGE_DNS, "bogus_mx");
    if (run->callout->relay != NULL)
        return record_of(run, RB_REASON_UNREACHABLE, RB_STAGE_DNS, "relay_without_address");
    return record_of(run, RB_REASON_NO_MAIL_HOST, RB_STAGE_DNS, "no_mail_host");
}

static bool is_dead(const struct run *run, const struct address_record *record)
{
    /* Where this machine has no way to any of the hosts, it is not the domain that is dead. */
    bool called = run->tried > run->no_route;

    return rb_reason_verdict(record->reason) == RB_VERDICT_INVALID ||
           (record->reason == RB_REASON_UNREACHABLE && record->stage == RB_STAGE_CONNECT &&
            called && run->held == 0);
}

/*
 * Whatever is left gets its best non-answer. Where no host could even be asked, that holds for
 * every address of the domain: all that waits is told at once, and it becomes a fact.
 */
static void finish(struct run *run, enum dns_outcome outcome)
{
    struct address_record none = verdict_without_hosts(run, outcome);
    struct callout_item *item = run->todo;

    if (item == NULL)
        return;
    if (item->has_best)
        none = item->best;
    if (!run->reached && run->callout->relay == NULL && is_dead(run, &none))
        learn_dead(run, none.reason);
    for (struct callout_item *next; item != NULL; item = next) {
        next = item->next;
        answer(run, item, item->has_best ? &item->best : &none);
    }
    while (!run->reached && (item = take(run)) != NULL)
        answer(run, item, &none);
}

static enum dns_outcome call_mail_exchangers(struct run *run)
{
    const struct callout *callout = run->callout;
    struct dns_mx_list list;
    enum dns_outcome outcome =
        dns_mail_exchangers(callout->dns, callout->domain, run->until, &list);

    if (outcome == DNS_NO_DATA) /* implicit MX: the domain is its own mail host */
        call_host(run, callout->domain, callout->options->o.port, false);
    for (size_t i = 0; outcome == DNS_FOUND && i < list.count && !done(run); i++)
        call_host(run, list.mx[i].name, callout->options->o.port, false);
    return outcome;
}

void callout_run(const struct callout *callout)
{
    struct run run = {
        .callout = callout,
        .facts = callout->facts,
        .taken = 1,
        .until = deadline_in(callout->clock, callout->options->o.total_timeout_ms),
    };
    enum dns_outcome outcome = DNS_FOUND;

    run.todo = take(&run);
    if (run.todo == NULL)
        return;
    run.todo->next = NULL;
    if (callout->relay != NULL)
        call_relay(&run);
    else if (callout->domain[0] == '[')
        call_address_literal(&run);
    else
        outcome = call_mail_exchangers(&run);
    finish(&run, outcome);
}

/* --- Small things -------------------------------------------------------- */

void callout_probe_local(const uint8_t key[32], const char *domain, int64_t now_s, char local[17])
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

bool callout_split_relay(const char *relay, char host[RB_DOMAIN_MAX + 1], uint16_t *port)
{
    const char *end, *colon;
    unsigned long number;
    size_t len;
    char *rest;

    if (relay[0] == '[') {
        end = strchr(relay++, ']');
        colon = end != NULL && end[1] != '\0' ? end + 1 : NULL;
    } else {
        colon = strchr(relay, ':');
        end = colon != NULL ? colon : relay + strlen(relay);
    }
    len = end != NULL ? (size_t)(end - relay) : 0;
    if (len == 0 || len > RB_DOMAIN_MAX || (colon != NULL && *colon != ':'))
        return false;
    memcpy(host, relay, len);
    host[len] = '\0';
    if (colon == NULL)
        return true;
    number = strtoul(colon + 1, &rest, 10);
    if (colon[1] < '0' || colon[1] > '9' || *rest != '\0' || number < 1 || number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}
