/* SPDX-License-Identifier: BSD-2-Clause */
/* connect_back: see connect_back.h. */
#include "config.h"

#include "extension/connect_back.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/metrics.h"
#include "session/claim.h"
#include "session/decide.h"

struct connect_back {
    struct claim claim;
    /* Where the client has reached us, as it sees it: the port, and the address or "any". */
    struct sockaddr_storage reached;
    bool reached_known;
    /* The claim that was asked about: HELO name and sender's domain; "": none yet. */
    char asked_about[SESSION_TEXT_MAX + RB_DOMAIN_MAX + 2];
    int64_t asked_ms;         /* monotonic */
    struct rb_ticket *ticket; /* NULL: the answer is there, or nothing was asked */
};

/* --- The connection -------------------------------------------------------------- */

static uint16_t port_of(const char *text)
{
    unsigned port;

    return text != NULL && text_number(text, strlen(text), UINT16_MAX, &port) ? (uint16_t)port : 0;
}

static bool is_any(const struct sockaddr_storage *address)
{
    static const struct ip any_v6;
    const struct ip any_v4 = ip_from_v4("\0\0\0");
    struct ip ip;

    return ip_from_sockaddr((const struct sockaddr *)address, &ip) &&
           (ip_is_same(&ip, &any_v4) || ip_is_same(&ip, &any_v6));
}

/* As an MTA writes it: "192.0.2.1", "2001:db8::1", or "IPv6:2001:db8::1". */
static bool read_address(const char *text, struct sockaddr_storage *address)
{
    static const char tag[] = "IPv6:";
    const size_t tag_len = sizeof tag - 1;

    if (text == NULL)
        return false;
    if (strlen(text) > tag_len && text_same_letters(text, tag, tag_len))
        text += tag_len;
    return ip_sockaddr_parse(text, address) && !is_any(address);
}

/* The one of public_address that a client of this family has reached. */
static bool find_public(const struct session *session, struct sockaddr_storage *address)
{
    const struct text_list *list = &session->config->connect_back.public_address;

    for (size_t i = 0; i < list->count; i++)
        if (ip_sockaddr_parse(list->items[i], address) &&
            address->ss_family == session->client.ss_family)
            return true;
    return false;
}

/* The address that stands for one that is not known. False: neither is the client's. */
static bool set_any(const struct session *session, struct sockaddr_storage *address)
{
    const char *any = session->client.ss_family == AF_INET6 ? "::" : "0.0.0.0";

    return session->client_known && ip_sockaddr_parse(any, address);
}

static void find_reached(struct connect_back *connect_back, const struct session *session,
                         const struct connect_back_macros *macros)
{
    struct sockaddr_storage *reached = &connect_back->reached;
    const uint16_t port = port_of(macros->daemon_port);
    const bool address_known = find_public(session, reached) ||
                               read_address(macros->if_addr, reached) ||
                               read_address(macros->daemon_addr, reached);

    if (!address_known && !set_any(session, reached))
        return;
    ip_sockaddr_set_port(reached, port);
    connect_back->reached_known = address_known || port != 0;
}

struct connect_back *connect_back_new(struct session *session,
                                      const struct connect_back_macros *macros)
{
    struct connect_back *made = calloc(1, sizeof *made);

    if (made == NULL)
        return NULL;
    rb_client_answer_init(&made->claim.answer);
    if (session->client_known && ip_sockaddr_port(&session->client) == 0)
        ip_sockaddr_set_port(&session->client, port_of(macros->client_port));
    find_reached(made, session, macros);
    session->claim = &made->claim;
    return made;
}

static void forget_question(struct connect_back *connect_back)
{
    rb_ticket_free(connect_back->ticket);
    connect_back->ticket = NULL;
    connect_back->asked_about[0] = '\0';
    rb_client_answer_fini(&connect_back->claim.answer);
    rb_client_answer_init(&connect_back->claim.answer);
}

void connect_back_free(struct connect_back *connect_back)
{
    if (connect_back == NULL)
        return;
    forget_question(connect_back);
    free(connect_back);
}

/* --- The question ---------------------------------------------------------------- */

/* What the client claims by its HELO name and, where that is a target, by its sender's domain. */
static void write_claim(const struct session *session, char *text, size_t size)
{
    const char *at = strrchr(session->sender_key, '@');
    const bool by_sender = session->config->connect_back.target != TARGET_HELO && at != NULL;

    (void)snprintf(text, size, "%s %s", session->helo, by_sender ? at + 1 : "");
}

/* Whether the claim is the one that was asked about, and the answer says something or is to come. */
static bool is_asked(const struct connect_back *connect_back, const struct session *session)
{
    char text[sizeof connect_back->asked_about];

    write_claim(session, text, sizeof text);
    return strcmp(text, connect_back->asked_about) == 0 &&
           (connect_back->ticket != NULL || connect_back->claim.answer.result != RB_CLIENT_UNKNOWN);
}

void connect_back_begin(struct connect_back *connect_back, struct session *session)
{
    connect_back->claim.decided = false;
    session->claim_follows = claim_may_be_asked(session) && !is_asked(connect_back, session);
}

static void fail(struct connect_back *connect_back, enum rb_error error)
{
    struct rb_client_answer *answer = &connect_back->claim.answer;

    (void)text_copy(answer->rule, sizeof answer->rule, "internal_error");
    log_line(LOG_LEVEL_ERROR, "cannot ask whether a client is who it claims to be: %s",
             rb_error_text(error));
}

static void ask(struct connect_back *connect_back, const struct session *session)
{
    const struct session_world *world = session->world;
    struct rb_client_question question;
    enum rb_error error;

    claim_question(session,
                   connect_back->reached_known ? (const struct sockaddr *)&connect_back->reached
                                               : NULL,
                   &question);
    forget_question(connect_back);
    write_claim(session, connect_back->asked_about, sizeof connect_back->asked_about);
    connect_back->asked_ms = clock_monotonic_ms(clock_system());
    if (world->answer_client != NULL) {
        world->answer_client(world->answer_arg, &question, &connect_back->claim.answer);
        return;
    }
    error = rb_ask_client(world->verifier, &question, &connect_back->ticket);
    if (error != RB_OK)
        fail(connect_back, error);
}

/* --- The answer ------------------------------------------------------------------ */

static void hear(struct connect_back *connect_back, int64_t until_ms)
{
    struct rb_client_answer *answer = &connect_back->claim.answer;

    rb_client_answer_fini(answer);
    rb_client_answer_init(answer);
    (void)rb_wait_client(connect_back->ticket, until_ms, answer);
}

/* What has not come by then may be there for the next message. */
static void await(struct connect_back *connect_back, const struct session *session,
                  int64_t deadline_ms, void (*tick)(void *arg), void *arg)
{
    int64_t until_ms = clock_monotonic_ms(clock_system());
    bool over;

    if (!rb_ready(connect_back->ticket) && session->world->before_wait != NULL)
        session->world->before_wait();
    do {
        until_ms = tick != NULL && until_ms + SESSION_TICK_MS < deadline_ms
                       ? until_ms + SESSION_TICK_MS
                       : deadline_ms;
        hear(connect_back, until_ms);
        over = rb_ready(connect_back->ticket) || until_ms >= deadline_ms;
        if (!over)
            tick(arg);
    } while (!over);
    if (!rb_ready(connect_back->ticket))
        return;
    rb_ticket_free(connect_back->ticket);
    connect_back->ticket = NULL;
}

/* The client waits for one answer of a host's no longer than `timeout`, over all its messages. */
static int64_t deadline_of(const struct connect_back *connect_back, const struct session *session)
{
    const struct config *config = session->config;
    const int64_t one = connect_back->asked_ms + config->connect_back.timeout_ms;
    const int64_t all = session->event_began_ms + config->max_wait_ms;

    return one < all ? one : all;
}

static void find_out(struct connect_back *connect_back, const struct session *session,
                     void (*tick)(void *arg), void *arg)
{
    struct claim *claim = &connect_back->claim;
    const int64_t since_ms = clock_monotonic_ms(clock_system());

    if (!is_asked(connect_back, session))
        ask(connect_back, session);
    else if (connect_back->ticket == NULL)
        claim->answer.cached = true;
    if (connect_back->ticket != NULL)
        await(connect_back, session, deadline_of(connect_back, session), tick, arg);
    claim->waited_ms = clock_monotonic_ms(clock_system()) - since_ms;
    if (session->world->observer != NULL)
        session->world->observer->waited(claim->waited_ms);
}

const struct decision *connect_back_check(struct connect_back *connect_back,
                                          struct session *session, void (*tick)(void *arg),
                                          void *arg)
{
    struct claim *claim = &connect_back->claim;

    if (claim->decided || claim_why_not(session) != NULL)
        return NULL;
    find_out(connect_back, session, tick, arg);
    claim_decide(session);
    metrics_client(claim->answer.result);
    return decide_refuses(&claim->decision) ? &claim->decision : NULL;
}
