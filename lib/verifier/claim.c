/* SPDX-License-Identifier: BSD-2-Clause */
/* claim: whom to ask whether a client is who it claims to be; see claim.h. Pure. */
#include "config.h"

#include "verifier/claim.h"

#include "base/ip.h"
#include "base/text.h"
#include "mail/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_LEN = sizeof "host:" - 1 };

/* --- Names ---------------------------------------------------------------------- */

/* The address in "[192.0.2.1]" or "[IPv6:2001:db8::1]", canonical. */
static void literal_text(const char *literal, char text[RB_DOMAIN_MAX + 1])
{
    static const char tag[] = "IPv6:";
    const char *from = literal + 1;

    if (strncmp(from, tag, sizeof tag - 1) == 0)
        from += sizeof tag - 1;
    (void)snprintf(text, RB_DOMAIN_MAX + 1, "%.*s", (int)strcspn(from, "]"), from);
}

static bool is_clients_own(const char *text, const struct sockaddr *client)
{
    struct sockaddr_storage address;
    struct ip named, of_client;

    return ip_sockaddr_parse(text, &address) &&
           ip_from_sockaddr((const struct sockaddr *)&address, &named) &&
           ip_from_sockaddr(client, &of_client) && ip_is_same(&named, &of_client);
}

/* --- Targets ---------------------------------------------------------------------- */

static struct claim_target *add_target(struct claim *claim, enum rb_client_target kind,
                                       const char *host)
{
    struct claim_target *target = &claim->targets[claim->count];

    target->kind = kind;
    (void)text_copy(target->host, sizeof target->host, host);
    claim->count++;
    return target;
}

static void add_helo(struct claim *claim, const char *helo, const struct sockaddr *client)
{
    char name[RB_DOMAIN_MAX + 1], relay[RELAY_HOST_MAX + 1];
    struct claim_target *target;

    if (helo == NULL || helo[0] == '\0') {
        claim->why_none = "no_helo";
        return;
    }
    (void)text_copy(name, sizeof name, claim->subject.helo);
    if (claim->helo_is_literal)
        literal_text(claim->subject.helo, name);
    if (name[0] == '\0' || !relay_host_write(name, 0, relay)) {
        claim->is_nowhere = true;
        claim->why_none = "helo_is_no_host";
        return;
    }
    claim->helo_is_client = claim->helo_is_literal && is_clients_own(name, client);
    target = add_target(claim, RB_TARGET_HELO, claim->subject.helo);
    memcpy(target->relay, relay, sizeof relay);
    (void)text_copy(target->key, sizeof target->key, relay + HOST_LEN);
}

static void add_mx(struct claim *claim)
{
    const char *domain = claim->subject.domain;
    struct claim_target *target;

    if (domain[0] == '\0') {
        claim->why_none = "no_sender_domain";
        return;
    }
    target = add_target(claim, RB_TARGET_MX, domain);
    (void)snprintf(target->key, sizeof target->key, "mx:%s", domain);
}

/* False: it is no HOST[:PORT]. A peer is an admin's host: it is asked as a mail store of ours is. */
static bool add_host(struct claim *claim, const char *text, bool is_peer)
{
    static const char smtp[] = "smtp:";
    struct claim_target *target;
    struct relay_target read;
    char relay[RELAY_HOST_MAX + 1];

    if (!relay_target_read(text, strlen(text), &read) || read.path[0] != '\0' || read.lmtp ||
        strncmp(text, smtp, sizeof smtp - 1) == 0 || !relay_host_write(read.host, read.port, relay))
        return false;
    target = add_target(claim, RB_TARGET_NONE, relay + HOST_LEN);
    (void)text_copy(target->key, sizeof target->key, relay + HOST_LEN);
    (void)text_copy(target->relay, sizeof target->relay, is_peer ? relay + HOST_LEN : relay);
    return true;
}

static bool add_targets(struct claim *claim, const struct rb_client_question *asked)
{
    if (asked->host != NULL)
        return add_host(claim, asked->host, asked->is_peer);
    for (size_t i = 0; i < CLAIM_TARGETS_MAX; i++) {
        if (asked->targets[i] == RB_TARGET_HELO)
            add_helo(claim, asked->helo, asked->client);
        else if (asked->targets[i] == RB_TARGET_MX)
            add_mx(claim);
        else if (asked->targets[i] != RB_TARGET_NONE)
            return false;
    }
    return claim->count > 0 || claim->why_none != NULL;
}

/* --- Making ----------------------------------------------------------------------- */

/* As it stands behind an "@", where it may be a literal. False: no memory. */
static bool set_helo(struct claim *claim, const char *helo)
{
    char mailbox[sizeof "x@" + RB_DOMAIN_MAX];
    enum address_fault fault;
    struct address address;
    const int len = snprintf(mailbox, sizeof mailbox, "x@%s", helo);

    if (len < 0 || (size_t)len >= sizeof mailbox)
        return true;
    fault = address_parse(mailbox, (size_t)len, false, &address);
    (void)text_copy(claim->subject.helo, sizeof claim->subject.helo, address.domain);
    claim->helo_is_literal = address.is_literal;
    return fault != ADDRESS_NOMEM;
}

/* The client and the names that it has given; what is none is "". False: no memory. */
static bool set_subject(struct claim *claim, const struct rb_client_question *asked)
{
    const struct spf_question whole = {.client = asked->client};
    struct spf_subject *subject = &claim->subject;
    struct address sender;
    enum address_fault fault;
    struct ip ip;

    claim->passes_gate = asked->host == NULL && asked->client != NULL &&
                         ip_from_sockaddr(asked->client, &ip) && !ip_is_loopback(&ip) &&
                         spf_subject_set(subject, &whole);
    if (asked->helo != NULL && !set_helo(claim, asked->helo))
        return false;
    if (asked->sender == NULL || asked->sender_len == 0)
        return true;
    fault = address_parse(asked->sender, asked->sender_len, true, &sender);
    if (fault == ADDRESS_NOMEM)
        return false;
    (void)text_copy(subject->local, sizeof subject->local, sender.local);
    (void)text_copy(subject->domain, sizeof subject->domain, sender.domain);
    return true;
}

static void set_line(struct claim *claim, const struct rb_client_question *asked)
{
    const struct verbs_ayttm about = verbs_ayttm_about(asked->client, asked->reached);

    (void)verbs_ayttm_write(&about, claim->line);
}

enum rb_error claim_new(const struct rb_client_question *asked, struct claim **claim)
{
    struct claim *made;
    enum rb_error error = RB_OK;
    struct ip ip;

    *claim = NULL;
    if (asked->host == NULL && asked->client == NULL)
        return RB_ERR_ARGUMENT;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->no_cache = asked->no_cache || asked->transcript;
    made->transcript = asked->transcript;
    if (asked->client != NULL) {
        rates_client_key(asked->client, made->client, sizeof made->client);
        made->family =
            ip_from_sockaddr(asked->client, &ip) ? (ip_is_v4(&ip) ? AF_INET : AF_INET6) : AF_UNSPEC;
    }
    set_line(made, asked);
    if (!set_subject(made, asked))
        error = RB_ERR_NOMEM;
    else if (!add_targets(made, asked))
        error = RB_ERR_ARGUMENT;
    if (error != RB_OK) {
        free(made);
        return error;
    }
    *claim = made;
    return RB_OK;
}

/* --- Looking at one ----------------------------------------------------------------- */

const struct claim_target *claim_target(const struct claim *claim)
{
    return &claim->targets[claim->at];
}

/* Where the one cannot be reached the next is asked: that belongs to the question. */
bool claim_key(const struct claim *claim, char key[CACHE_KEY_MAX + 1])
{
    const struct claim_target *target = claim_target(claim);
    const char *next = claim->at + 1 < claim->count ? claim->targets[claim->at + 1].key : "";
    const int len = snprintf(key, CACHE_KEY_MAX + 1, "v%s %s %s %s", claim->line, target->relay,
                             target->key, next);

    if (len > 0 && len <= CACHE_KEY_MAX)
        return true;
    key[0] = '\0';
    return false;
}

enum { IDENTITY_HELO, IDENTITY_SENDER, IDENTITIES };

bool claim_next_identity(struct claim *claim, struct spf_question *question)
{
    const struct spf_subject *subject = &claim->subject;

    if (!claim->passes_gate)
        return false;
    *question = spf_subject_question(subject);
    if (claim->identity == IDENTITY_HELO) {
        claim->identity++;
        if (subject->helo[0] != '\0' && !claim->helo_is_client) {
            question->local = ""; /* postmaster */
            question->domain = subject->helo;
            return true;
        }
    }
    if (claim->identity == IDENTITY_SENDER) {
        claim->identity++;
        return claim_target(claim)->kind == RB_TARGET_MX;
    }
    return false;
}
