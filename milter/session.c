/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: from what an MTA tells of a session to decisions; see session.h. Must not know
 * libmilter.
 */
#include "config.h"

#include "session.h"

#include "address.h"
#include "deadline.h"
#include "log.h"
#include "metrics.h"
#include "netguard.h"
#include "recipient.h"
#include "text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *exemption_name(enum exemption exemption)
{
    static const char *const names[EXEMPT_MAX] = {
        [EXEMPT_NOT] = "",
        [EXEMPT_LOCAL_SUBMISSION] = "local_submission",
        [EXEMPT_TRUSTED_NETWORKS] = "trusted_networks",
        [EXEMPT_AUTHENTICATED] = "authenticated",
        [EXEMPT_NULL_SENDER] = "null_sender",
        [EXEMPT_OWN_CALLOUT_SENDER] = "own_callout_sender",
        [EXEMPT_POLICY] = "policy",
    };

    return (unsigned)exemption < EXEMPT_MAX ? names[exemption] : "?";
}

/* --- The connection ------------------------------------------------------- */

/* Postfix stands in for a client that does not exist (mail from the sendmail command) with a port
 * of 0. */
static bool is_local_submission(const struct sockaddr *address)
{
    if (address == NULL)
        return true;
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_port == 0 &&
               strcmp(netguard_kind(address), "loopback") == 0;
    return false;
}

static void keep_client(struct session *session, const struct sockaddr *address)
{
    const void *octets;

    if (address == NULL)
        return;
    if (address->sa_family == AF_INET) {
        memcpy(&session->client, address, sizeof(struct sockaddr_in));
        octets = &((const struct sockaddr_in *)&session->client)->sin_addr;
    } else if (address->sa_family == AF_INET6) {
        memcpy(&session->client, address, sizeof(struct sockaddr_in6));
        octets = &((const struct sockaddr_in6 *)&session->client)->sin6_addr;
    } else {
        return;
    }
    session->client_known = inet_ntop(address->sa_family, octets, session->client_text,
                                      sizeof session->client_text) != NULL;
}

void session_init(struct session *session, const struct session_world *world, struct config *config,
                  const struct sockaddr *address)
{
    *session = (struct session){.world = world, .config = config_get(config)};
    keep_client(session, address);
    session->local_submission = is_local_submission(address);
}

void session_fini(struct session *session)
{
    session_reset(session);
    config_put(session->config);
    session->config = NULL;
}

void session_helo(struct session *session, const char *helo)
{
    text_printable(session->helo, sizeof session->helo, helo, strlen(helo));
}

const struct sockaddr *session_client(const struct session *session)
{
    return session->client_known ? (const struct sockaddr *)&session->client : NULL;
}

enum exemption session_connection_exempt(const struct session *session)
{
    const struct network_list *trusted = &session->config->trusted_networks;

    if (session->client_known &&
        networks_contain(trusted->items, trusted->count, session_client(session)))
        return EXEMPT_TRUSTED_NETWORKS;
    return EXEMPT_NOT;
}

/* --- The message ---------------------------------------------------------- */

size_t session_argument_len(const char *argument)
{
    bool bracketed = argument[0] == '<', quoted = false;
    size_t i;

    for (i = 0; argument[i] != '\0'; i++) {
        char c = argument[i];

        if (c == '\\' && argument[i + 1] != '\0')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && bracketed && c == '>')
            return i + 1;
        else if (!quoted && !bracketed && (c == ' ' || c == '\t'))
            return i;
    }
    return i;
}

static void new_id(struct session *session)
{
    static atomic_uint counter;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(session->id, sizeof session->id, "%llx%05lx%04x%04x",
                   (unsigned long long)now.tv_sec, now.tv_nsec / 1000, (unsigned)getpid() & 0xffff,
                   atomic_fetch_add(&counter, 1) & 0xffff);
}

void session_reset(struct session *session)
{
    rb_ticket_free(session->ticket);
    session->ticket = NULL;
    session->asked = false;
    rb_answer_fini(&session->answer);
    rb_answer_fini(&session->rcpt.answer);
    session->rcpt.decided = false;
    free(session->sender);
    session->sender = NULL;
    session->sender_key[0] = session->sender_text[0] = session->id[0] = '\0';
    session->authenticated = session->null_sender = false;
    session->waited_ms = 0;
    session->decision_count = 0;
}

/* The address without its brackets, for people. */
static void show_address(char *text, size_t size, const char *argument, size_t len)
{
    if (len >= 2 && argument[0] == '<' && argument[len - 1] == '>') {
        argument++;
        len -= 2;
    }
    text_printable(text, size, argument, len);
}

/* Blanks before an address must not make it look like the empty one of the null sender. */
static const char *skip_blanks(const char *argument)
{
    return argument + strspn(argument, " \t");
}

enum rb_error session_mail(struct session *session, const char *argument, bool authenticated)
{
    const char *from = skip_blanks(argument);
    size_t len = session_argument_len(from);
    struct address address;
    enum address_fault fault = address_parse(from, len, true, &address);

    session_reset(session);
    session->sender = strndup(from, len);
    if (session->sender == NULL)
        return RB_ERR_NOMEM;
    session->authenticated = authenticated;
    session->null_sender = fault == ADDRESS_NULL;
    if (fault == ADDRESS_OK)
        (void)!address_key(&address, session->sender_key, sizeof session->sender_key);
    show_address(session->sender_text, sizeof session->sender_text, from, len);
    new_id(session);
    return RB_OK;
}

/* --- Exemptions ----------------------------------------------------------- */

static bool is_own_callout_sender(const struct config *config, const char *recipient_key)
{
    const char *own[] = {config->callout.mail_from, config->callout.fallback_mail_from};
    char key[RB_ADDRESS_MAX + 1];
    struct address address;

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (own[i][0] != '\0' &&
            address_parse(own[i], strlen(own[i]), true, &address) == ADDRESS_OK &&
            address_key(&address, key, sizeof key) == RB_OK && strcasecmp(key, recipient_key) == 0)
            return true;
    return false;
}

enum exemption session_exempt(const struct session *session, const char *recipient_key)
{
    enum exemption connection = session_connection_exempt(session);

    if (session->local_submission)
        return EXEMPT_LOCAL_SUBMISSION;
    if (connection != EXEMPT_NOT)
        return connection;
    if (session->authenticated)
        return EXEMPT_AUTHENTICATED;
    if (session->null_sender)
        return EXEMPT_NULL_SENDER;
    if (recipient_key[0] != '\0' && is_own_callout_sender(session->config, recipient_key))
        return EXEMPT_OWN_CALLOUT_SENDER;
    return EXEMPT_NOT;
}

/* --- Decisions ------------------------------------------------------------ */

static void note_internal_error(struct session *session, enum rb_error error)
{
    session->answer.verdict = RB_VERDICT_UNKNOWN;
    session->answer.reason = RB_REASON_INTERNAL_ERROR;
    session->answer.expires_s = session->answer.age_s = -1;
    log_line(LOG_LEVEL_ERROR, "cannot verify <%s>: %s", session->sender_text, rb_error_text(error));
}

/* Asks once a message; one verdict serves all its recipients. */
static void begin(struct session *session)
{
    const struct rb_question question = {
        .address = session->sender,
        .address_len = strlen(session->sender),
        .client = session_client(session),
        .helo = session->helo,
    };
    enum rb_error error;

    session->asked = true;
    session->asked_ms = clock_monotonic_ms(clock_system());
    error = rb_ask(session->world->verifier, &question, &session->ticket);
    if (error != RB_OK) {
        session->ticket = NULL;
        note_internal_error(session, error);
    }
}

static void about_to_wait(const struct session *session)
{
    if (!rb_ready(session->ticket) && session->world->before_wait != NULL)
        session->world->before_wait();
}

/* Takes the answer that is there by now. */
static void take_answer(struct session *session)
{
    rb_ticket_free(session->ticket);
    session->ticket = NULL;
    session->waited_ms = session->answer.elapsed_ms;
    metrics_waited(session->waited_ms);
    if (session->answer.reason == RB_REASON_INTERNAL_ERROR)
        log_line(LOG_LEVEL_ERROR, "cannot verify <%s>: %s", session->sender_text,
                 session->answer.rule);
}

/* Waits until the answer is there, or its time is up; tick, if not NULL, is called now and then. */
static void await_answer(struct session *session, int64_t max_wait_ms, void (*tick)(void *arg),
                         void *arg)
{
    int64_t until_ms = clock_monotonic_ms(clock_system()) - session->asked_ms;
    bool over;

    if (session->ticket == NULL)
        return;
    about_to_wait(session);
    do {
        until_ms = tick != NULL && until_ms + SESSION_TICK_MS < max_wait_ms
                       ? until_ms + SESSION_TICK_MS
                       : max_wait_ms;
        rb_answer_fini(&session->answer);
        rb_wait(session->ticket, (unsigned)until_ms, &session->answer);
        over = rb_ready(session->ticket) || until_ms >= max_wait_ms;
        if (!over)
            tick(arg);
    } while (!over);
    take_answer(session);
}

static void find_out(struct session *session)
{
    if (!session->asked)
        begin(session);
    await_answer(session, session->config->max_wait_ms, NULL, NULL);
}

/* Begins to find out. False: the answer is there already. */
static bool begin_for_later(struct session *session)
{
    if (!session->asked)
        begin(session);
    if (session->ticket == NULL)
        return false;
    about_to_wait(session);
    rb_begin(session->ticket, session->config->max_wait_ms);
    if (!rb_ready(session->ticket))
        return true;
    await_answer(session, 0, NULL, NULL);
    return false;
}

static struct decision *find_decision(struct session *session, const struct policy *policy,
                                      enum exemption exemption)
{
    for (size_t i = 0; i < session->decision_count; i++)
        if (session->decisions[i].policy == policy && session->decisions[i].exemption == exemption)
            return &session->decisions[i];
    return NULL;
}

void session_settle(const struct session *session, struct decision *decision, enum action wanted)
{
    decision->wanted = wanted;
    decision->action = session->config->dry_run && wanted != ACTION_TAG ? ACTION_ACCEPT : wanted;
    metrics_decided(decision->reason, decision->action);
}

static bool is_refusal(const struct decision *decision)
{
    return decision->action == ACTION_REJECT || decision->action == ACTION_TEMPFAIL;
}

static void settle_by_answer(struct session *session, struct decision *decision)
{
    decision->pending = false;
    decision->verdict = session->answer.verdict;
    decision->reason = session->answer.reason;
    session_settle(session, decision,
                   policy_action(decision->policy, decision->verdict, decision->reason));
}

static void decide(struct session *session, struct decision *decision)
{
    if (decision->exemption != EXEMPT_NOT) {
        decision->verdict = RB_VERDICT_UNKNOWN;
        decision->reason = RB_REASON_EXEMPT;
        metrics_skipped(decision->exemption);
        session_settle(session, decision,
                       policy_action(decision->policy, decision->verdict, decision->reason));
    } else if (session->config->decide_at != DECIDE_RCPT && begin_for_later(session)) {
        decision->pending = true; /* let in for the time being */
        decision->action = decision->wanted = ACTION_ACCEPT;
    } else {
        find_out(session);
        settle_by_answer(session, decision);
    }
}

bool session_is_pending(const struct session *session)
{
    return session->ticket != NULL;
}

const struct decision *session_collect(struct session *session, unsigned max_wait_ms,
                                       void (*tick)(void *arg), void *arg)
{
    const struct decision *refusal = NULL;

    await_answer(session, max_wait_ms, tick, arg);
    for (size_t i = 0; i < session->decision_count; i++) {
        struct decision *decision = &session->decisions[i];

        if (!decision->pending)
            continue;
        settle_by_answer(session, decision);
        if (is_refusal(decision))
            refusal = decision;
    }
    return refusal;
}

const char *session_policy_sender(const struct session *session)
{
    return session->sender_key[0] != '\0' || session->null_sender ? session->sender_key
                                                                  : session->sender_text;
}

/*
 * A message whose fate is decided once for all its recipients must have recipients with one fate: one under another policy, or
 * exempt beside one that is not, is put off ("452 too many recipients", which makes clients send another message at once).
 */
static bool is_other_fate(const struct session *session, const struct policy *policy,
                          enum exemption exemption)
{
    bool undecided = exemption == EXEMPT_NOT && session->answer.verdict == RB_VERDICT_UNKNOWN &&
                     (session->ticket != NULL || !session->asked);

    for (size_t i = 0; i < session->decision_count; i++) {
        const struct decision *decision = &session->decisions[i];

        if (is_refusal(decision) || (!decision->pending && !undecided))
            continue;
        if ((decision->exemption == EXEMPT_NOT) != (exemption == EXEMPT_NOT) ||
            !policy_acts_alike(decision->policy, policy))
            return true;
    }
    return false;
}

static struct decision *put_off(struct session *session, const struct policy *policy,
                                const char *to, size_t len)
{
    struct decision *decision = &session->rcpt.decision;

    *decision = (struct decision){
        .of = OF_RECIPIENT,
        .put_off = true,
        .policy = policy,
        .reason = RB_REASON_LIMITED,
        .wanted = ACTION_TEMPFAIL,
        .action = ACTION_TEMPFAIL,
        .recipients = 1,
    };
    show_address(decision->recipient, sizeof decision->recipient, to, len);
    rb_answer_fini(&session->rcpt.answer);
    session->rcpt.answer =
        (struct rb_answer){.reason = RB_REASON_LIMITED, .age_s = -1, .expires_s = -1};
    (void)text_copy(session->rcpt.answer.rule, sizeof session->rcpt.answer.rule,
                    "one_fate_a_message");
    return decision;
}

/* What is decided about the sender, for a recipient under this policy. */
static struct decision *decide_for(struct session *session, const struct policy *policy,
                                   enum exemption exemption, const char *to, size_t len)
{
    struct decision *decision = find_decision(session, policy, exemption);

    if (decision != NULL) {
        decision->recipients++;
        return decision;
    }
    /* More policies than a message has room for: each further one gets its own decision all the same, in the last place. */
    if (session->decision_count < SESSION_DECISIONS_MAX)
        session->decision_count++;
    decision = &session->decisions[session->decision_count - 1];
    *decision = (struct decision){.policy = policy, .exemption = exemption, .recipients = 1};
    show_address(decision->recipient, sizeof decision->recipient, to, len);
    decide(session, decision);
    return decision;
}

/* Bounces too must have somebody to go to; whom our own users write to is not ours to judge. */
static bool verifies_recipient(const struct policy *policy, enum exemption exemption,
                               const char *recipient_key)
{
    return policy_verifies_recipient(policy) && recipient_key[0] != '\0' &&
           (exemption == EXEMPT_NOT || exemption == EXEMPT_NULL_SENDER);
}

struct decision *session_rcpt(struct session *session, const char *argument)
{
    const char *to = skip_blanks(argument);
    size_t len = session_argument_len(to);
    char key[RB_ADDRESS_MAX + 1] = "";
    struct address address;
    struct transaction transaction = {
        .client = session_client(session),
        .helo = session->helo,
        .authenticated = session->authenticated,
        .sender = session_policy_sender(session),
        .recipient = key,
    };
    enum exemption exemption, of_sender;
    const struct policy *policy;
    struct decision *decision;

    session->rcpt.decided = false;
    if (address_parse(to, len, true, &address) == ADDRESS_OK)
        (void)!address_key(&address, key, sizeof key);
    if (session->authenticated && key[0] != '\0')
        rb_note_correspondent(session->world->verifier, to, len);
    exemption = session_exempt(session, key);
    policy = policy_match(session->config, &transaction);
    of_sender =
        exemption == EXEMPT_NOT && !policy_verifies_sender(policy) ? EXEMPT_POLICY : exemption;
    if (session->config->decide_at != DECIDE_RCPT && is_other_fate(session, policy, of_sender))
        return put_off(session, policy, to, len);
    decision = decide_for(session, policy, of_sender, to, len);
    if (is_refusal(decision) || !verifies_recipient(policy, exemption, key))
        return decision;
    show_address(session->rcpt.decision.recipient, sizeof session->rcpt.decision.recipient, to,
                 len);
    recipient_decide(session, policy, address.domain, to, len);
    return is_refusal(&session->rcpt.decision) ? &session->rcpt.decision : decision;
}

const struct rb_answer *session_answer(const struct session *session,
                                       const struct decision *decision)
{
    return decision->of == OF_SENDER ? &session->answer : &session->rcpt.answer;
}

const struct decision *session_message_decision(const struct session *session)
{
    const struct decision *best = NULL;

    for (size_t i = 0; i < session->decision_count; i++) {
        const struct decision *decision = &session->decisions[i];

        if (decision->action == ACTION_REJECT || decision->action == ACTION_TEMPFAIL)
            continue; /* those recipients are not part of the message */
        if (best == NULL || decision->action > best->action ||
            (best->exemption != EXEMPT_NOT && decision->exemption == EXEMPT_NOT))
            best = decision;
    }
    return best;
}
