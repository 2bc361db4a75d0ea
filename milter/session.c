/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: from what an MTA tells of a session to decisions; see session.h. Must not know
 * libmilter.
 */
#include "config.h"

#include "session.h"

#include "address.h"
#include "log.h"
#include "metrics.h"
#include "netguard.h"
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

static const struct sockaddr *client_of(const struct session *session)
{
    return session->client_known ? (const struct sockaddr *)&session->client : NULL;
}

enum exemption session_connection_exempt(const struct session *session)
{
    const struct network_list *trusted = &session->config->trusted_networks;

    if (session->client_known &&
        networks_contain(trusted->items, trusted->count, client_of(session)))
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
    rb_answer_fini(&session->answer);
    free(session->sender);
    session->sender = NULL;
    session->sender_key[0] = session->sender_text[0] = session->id[0] = '\0';
    session->authenticated = session->null_sender = session->answered = false;
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
static void find_out(struct session *session)
{
    const struct rb_question question = {
        .address = session->sender,
        .address_len = strlen(session->sender),
        .client = client_of(session),
        .helo = session->helo,
    };
    struct rb_ticket *ticket;
    enum rb_error error;

    if (session->answered)
        return;
    session->answered = true;
    error = rb_ask(session->world->verifier, &question, &ticket);
    if (error != RB_OK) {
        note_internal_error(session, error);
        return;
    }
    if (!rb_ready(ticket) && session->world->before_wait != NULL)
        session->world->before_wait();
    rb_wait(ticket, session->config->max_wait_ms, &session->answer);
    rb_ticket_free(ticket);
    session->waited_ms = session->answer.elapsed_ms;
    metrics_waited(session->waited_ms);
    if (session->answer.reason == RB_REASON_INTERNAL_ERROR)
        log_line(LOG_LEVEL_ERROR, "cannot verify <%s>: %s", session->sender_text,
                 session->answer.rule);
}

static struct decision *find_decision(struct session *session, const struct policy *policy,
                                      enum exemption exemption)
{
    for (size_t i = 0; i < session->decision_count; i++)
        if (session->decisions[i].policy == policy && session->decisions[i].exemption == exemption)
            return &session->decisions[i];
    return NULL;
}

static void decide(struct session *session, struct decision *decision)
{
    if (decision->exemption != EXEMPT_NOT) {
        decision->verdict = RB_VERDICT_UNKNOWN;
        decision->reason = RB_REASON_EXEMPT;
        metrics_skipped(decision->exemption);
    } else {
        find_out(session);
        decision->verdict = session->answer.verdict;
        decision->reason = session->answer.reason;
    }
    decision->wanted = policy_action(decision->policy, decision->verdict, decision->reason);
    decision->action = session->config->dry_run && decision->wanted != ACTION_TAG
                           ? ACTION_ACCEPT
                           : decision->wanted;
    metrics_decided(decision->reason, decision->action);
}

const char *session_policy_sender(const struct session *session)
{
    return session->sender_key[0] != '\0' || session->null_sender ? session->sender_key
                                                                  : session->sender_text;
}

struct decision *session_rcpt(struct session *session, const char *argument)
{
    const char *to = skip_blanks(argument);
    size_t len = session_argument_len(to);
    char key[RB_ADDRESS_MAX + 1] = "";
    struct address address;
    struct transaction transaction = {
        .client = client_of(session),
        .helo = session->helo,
        .authenticated = session->authenticated,
        .sender = session_policy_sender(session),
        .recipient = key,
    };
    enum exemption exemption;
    const struct policy *policy;
    struct decision *decision;

    if (address_parse(to, len, true, &address) == ADDRESS_OK)
        (void)!address_key(&address, key, sizeof key);
    if (session->authenticated && key[0] != '\0')
        rb_note_correspondent(session->world->verifier, to, len);
    exemption = session_exempt(session, key);
    policy = policy_match(session->config, &transaction);
    if (exemption == EXEMPT_NOT && !policy_verifies_sender(policy))
        exemption = EXEMPT_POLICY;
    decision = find_decision(session, policy, exemption);
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

/* --- Telling -------------------------------------------------------------- */

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

void session_reply(const struct session *session, const struct decision *decision,
                   enum action action, struct smtp_reply *reply)
{
    const struct rb_answer *answer = &session->answer;
    bool reject = action == ACTION_REJECT, quoted = answer->reply[0] != '\0';
    char text[2 * SESSION_REPLY_MAX], said[200], sender[160];
    const char *what =
        decision->verdict == RB_VERDICT_INVALID ? "undeliverable address" : "unverified address";

    (void)text_copy(reply->code, sizeof reply->code, reject ? "550" : "450");
    (void)text_copy(reply->enhanced, sizeof reply->enhanced, reject ? "5.1.7" : "4.1.7");
    text_printable(sender, sizeof sender, session->sender_text, strlen(session->sender_text));
    if (quoted) {
        quote(said, sizeof said, answer->reply);
        (void)snprintf(text, sizeof text, "<%s>: sender address rejected: %s: %s said: \"%s\"",
                       sender, what, answer->mx, said);
    } else {
        (void)snprintf(text, sizeof text, "<%s>: sender address rejected: %s: %s", sender, what,
                       in_words(decision->reason));
    }
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
    bool exempt = decision->exemption != EXEMPT_NOT;
    long long waited_ms = exempt ? 0 : session->waited_ms;
    struct log_fields fields;
    char lead[64] = "";

    if (decision->logged)
        return;
    decision->logged = true;
    if (queue_id != NULL && queue_id[0] != '\0')
        (void)snprintf(lead, sizeof lead, "%.60s:", queue_id);
    log_fields_init(&fields, lead);
    log_field(&fields, "verify", exempt ? "none" : "sender");
    log_fieldf(&fields, "address", "<%s>", session->sender_text);
    log_field(&fields, "verdict", rb_verdict_name(decision->verdict));
    log_field(&fields, "reason", rb_reason_name(decision->reason));
    if (exempt)
        log_field(&fields, "rule", exemption_name(decision->exemption));
    else
        log_answer(&session->answer, &fields);
    log_fieldf(&fields, "waited", "%lld.%03llds", waited_ms / 1000, waited_ms % 1000);
    log_field(&fields, "policy", decision->policy->name);
    log_field(&fields, "action", action_name(decision->action));
    if (decision->action != decision->wanted)
        log_field(&fields, "would", action_name(decision->wanted));
    log_field(&fields, "client", session->client_text[0] != '\0' ? session->client_text : "local");
    log_field(&fields, "id", session->id);
    log_fields_write(LOG_LEVEL_INFO, &fields);
}
