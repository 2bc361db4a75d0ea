/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: from what an MTA tells of a session to decisions; see session.h. Must not know
 * libmilter.
 */
#include "config.h"

#include "session/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/netguard.h"
#include "session/decide.h"
#include "session/inquiry.h"
#include "session/originators.h"
#include "session/recipient.h"
#include "session/vouch.h"

/* --- The connection ------------------------------------------------------- */

/* Postfix stands in for a client that does not exist (mail from the sendmail command) with a port
 * of 0. */
static bool is_local_submission(const struct sockaddr *address)
{
    struct ip ip;

    if (address == NULL)
        return true;
    return address->sa_family == AF_INET && ((const struct sockaddr_in *)address)->sin_port == 0 &&
           ip_from_sockaddr(address, &ip) && ip_is_loopback(&ip);
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

bool session_client_from_text(const char *text, struct sockaddr_storage *client)
{
    if (!ip_sockaddr_parse(text, client))
        return false;
    if (client->ss_family == AF_INET)
        ip_sockaddr_set_port(client, 1); /* an SMTP client; 0 would be local submission */
    return true;
}

void session_init(struct session *session, const struct session_world *world, struct config *config,
                  const struct sockaddr *address)
{
    *session = (struct session){
        .world = world, .config = config_get(config), .mta_tags = true, .mta_quarantines = true};
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

enum exemption session_connection_exempt(const struct session *session)
{
    const struct network_list *trusted = &session->config->trusted_networks;

    if (session->client_known &&
        netguard_is_in_any(trusted->items, trusted->count, envelope_client(session)))
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

static void forget_sender(struct session *session)
{
    if (session->sender != session->sender_room)
        free(session->sender);
    session->sender = NULL;
}

/* In sender_room, or malloc'ed: a source route, or what is no address, may be of any length. */
static bool keep_sender(struct session *session, const char *from, size_t len)
{
    session->sender = len <= SESSION_SENDER_MAX ? session->sender_room : malloc(len + 1);
    if (session->sender == NULL)
        return false;
    memcpy(session->sender, from, len);
    session->sender[len] = '\0';
    return true;
}

/* --- Correspondents ------------------------------------------------------- */

static bool make_room(struct session *session, size_t more)
{
    size_t wanted = session->correspondents_len + more, room = session->correspondents_room;
    char *grown;

    if (wanted <= room)
        return true;
    if (wanted > SESSION_CORRESPONDENTS_MAX)
        return false;
    for (room = room > 0 ? room : 256; room < wanted;)
        room *= 2;
    grown = realloc(session->correspondents, room);
    if (grown == NULL)
        return false;
    session->correspondents = grown;
    session->correspondents_room = room;
    return true;
}

/* Keeps it until the message is let in: after RCPT the client may still give it up. */
static void remember_correspondent(struct session *session, const char *to, size_t len)
{
    char *end;

    if (session->world->observer == NULL || !make_room(session, len + 1))
        return;
    end = session->correspondents + session->correspondents_len;
    memcpy(end, to, len);
    end[len] = '\0';
    session->correspondents_len += len + 1;
}

static void forget_correspondents(struct session *session)
{
    free(session->correspondents);
    session->correspondents = NULL;
    session->correspondents_len = session->correspondents_room = 0;
}

void session_begin_event(struct session *session)
{
    session->event_began_ms = clock_monotonic_ms(clock_system());
}

void session_let_in(struct session *session)
{
    size_t len;

    for (size_t at = 0; at < session->correspondents_len; at += len + 1) {
        len = strlen(session->correspondents + at);
        session->world->observer->note_correspondent(session->world->verifier,
                                                     session->correspondents + at, len);
    }
    forget_correspondents(session);
}

/* --- One message after the other ------------------------------------------ */

void session_reset(struct session *session)
{
    inquiry_fini(&session->plain);
    inquiry_fini(&session->vouched);
    rb_answer_fini(&session->rcpt.answer);
    session->rcpt.decided = false;
    vouch_forget(session);
    forget_correspondents(session);
    forget_sender(session);
    session->sender_key[0] = session->sender_text[0] = session->id[0] = '\0';
    session->authenticated = session->null_sender = false;
    session->message_size = 0;
    session->claim_follows = false;
    decide_forget(session);
    originators_forget(session);
    session->marked = false;
}

/* Blanks before an address must not make it look like the empty one of the null sender. */
static const char *skip_blanks(const char *argument)
{
    return argument + strspn(argument, " \t");
}

void session_mail_parameters(struct session *session, const char *text)
{
    static const char keyword[] = "SIZE=";
    const size_t keyword_len = sizeof keyword - 1;

    for (text = skip_blanks(text); text[0] != '\0'; text = skip_blanks(text)) {
        const size_t len = strcspn(text, " \t");

        if (len >= keyword_len && text_same_letters(text, keyword, keyword_len))
            session->message_size = text_message_size(text + keyword_len, len - keyword_len);
        text += len;
    }
}

enum rb_error session_mail(struct session *session, const char *argument, bool authenticated)
{
    const char *from = skip_blanks(argument);
    size_t len = session_argument_len(from);
    struct address address;
    enum address_fault fault = address_parse(from, len, true, &address);

    session_reset(session);
    if (!keep_sender(session, from, len))
        return RB_ERR_NOMEM;
    session->authenticated = authenticated;
    session->null_sender = fault == ADDRESS_NULL;
    if (fault == ADDRESS_OK)
        (void)!address_key(&address, session->sender_key, sizeof session->sender_key);
    envelope_show_address(session->sender_text, sizeof session->sender_text, from, len);
    session_mail_parameters(session, from + len);
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

const char *session_policy_sender(const struct session *session)
{
    return session->sender_key[0] != '\0' || session->null_sender ? session->sender_key
                                                                  : session->sender_text;
}

/* The null sender's recipients too: bounces need a mailbox. Not those of our own users. */
static bool verifies_recipient(const struct policy *policy, enum exemption exemption,
                               const char *recipient_key)
{
    return policy_verifies_recipient(policy) && recipient_key[0] != '\0' &&
           (exemption == EXEMPT_NOT || exemption == EXEMPT_NULL_SENDER);
}

/* The decision about the sender that this recipient falls under. */
static struct decision *decide_about_sender(struct session *session, const struct policy *policy,
                                            enum exemption exemption, const char *to, size_t len)
{
    bool at_once = session->config->decide_at == DECIDE_RCPT || session->config->dry_run;
    struct decision *decision;

    if (exemption == EXEMPT_NOT && !policy_verifies_sender(policy))
        exemption = EXEMPT_POLICY;
    if ((!at_once && decide_is_other_fate(session, policy, exemption)) ||
        (!session->config->dry_run && originators_are_other_fate(session, policy, exemption)))
        return recipient_put_off(session, policy, to, len, "one_fate_a_message");
    decision = decide_sender(session, policy, exemption, to, len);
    return decision != NULL ? decision
                            : recipient_put_off(session, policy, to, len, "out_of_memory");
}

/* The recipient is let in: what its decision says, tag or quarantine, is done with the message. */
static void mark_message(struct session *session)
{
    const struct decision *decision = &session->rcpt.decision;

    if (decision->wanted == ACTION_ACCEPT ||
        (session->marked && !decide_is_harsher(decision, &session->mark)))
        return;
    session->marked = true;
    session->mark = *decision;
}

struct decision *session_rcpt(struct session *session, const char *argument)
{
    const char *to = skip_blanks(argument);
    size_t len = session_argument_len(to);
    char key[RB_ADDRESS_MAX + 1] = "";
    struct address address;
    struct transaction transaction = {
        .client = envelope_client(session),
        .helo = session->helo,
        .authenticated = session->authenticated,
        .sender = session_policy_sender(session),
        .recipient = key,
    };
    struct decision *decision;
    enum exemption exemption;
    const struct policy *policy;

    session->rcpt.decided = false;
    session_begin_event(session);
    if (address_parse(to, len, true, &address) == ADDRESS_OK)
        (void)!address_key(&address, key, sizeof key);
    if (session->authenticated && key[0] != '\0')
        remember_correspondent(session, to, len);
    exemption = session_exempt(session, key);
    policy = config_policy(session->config, &transaction);
    /*
     * First what costs nobody else anything: for a recipient who does not exist no stranger is
     * called.
     */
    if (verifies_recipient(policy, exemption, key)) {
        recipient_decide(session, policy, address.domain, to, len);
        if (decide_refuses(&session->rcpt.decision))
            return &session->rcpt.decision;
    }
    decision = decide_about_sender(session, policy, exemption, to, len);
    if (session->rcpt.decided && !decide_refuses(decision))
        mark_message(session);
    return decision;
}
