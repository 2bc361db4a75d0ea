/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evaluate: check_host of RFC 7208 (4.6, 5, 6.1, 7); see the header. Each call begins anew and
 * goes as far as the answers reach. Includes are followed by recursion: its depth is bounded by
 * SPF_LOOKUPS_MAX, since each is counted before it is followed.
 */
#include "config.h"

#include "spf/evaluate.h"

#include <arpa/nameser.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "dns/name.h"
#include "spf/macro.h"
#include "spf/record.h"

struct evaluation {
    const struct spf_question *question;
    const struct spf_answers *answers;
    struct spf_result *result;
    struct spf_lookup *next;
    struct ip client;
    char domain[RB_DOMAIN_MAX + 1]; /* the sender's */
    const char *local;
    unsigned lookups, voids;
    bool is_void;              /* a look-up of the term at hand found nothing */
    bool has_counted_pointers; /* the client's names */
    bool needs_more;           /* *next must be looked up */
};

/*
 * STOP ends it all: with an error, which the result has then, or because needs_more is set.
 */
enum match { NO_MATCH, MATCH, STOP };

/* --- How it ends ------------------------------------------------------------- */

static void note_place(struct evaluation *ev, const char *domain, struct span term)
{
    text_printable(ev->result->domain, sizeof ev->result->domain, domain, strlen(domain));
    text_printable(ev->result->term, sizeof ev->result->term, term.at, term.len);
    ev->result->host[0] = '\0';
}

/* The host or name by which the term at hand matches. */
static enum match match_by(struct evaluation *ev, const char *host)
{
    text_printable(ev->result->host, sizeof ev->result->host, host, strlen(host));
    return MATCH;
}

static enum match stop_with(struct evaluation *ev, enum spf_outcome outcome, const char *fault)
{
    ev->result->outcome = outcome;
    ev->result->fault = fault;
    return STOP;
}

/* --- Look-ups ----------------------------------------------------------------- */

/* The answer to a look-up; NULL, and ev->next is it: it must be made first. */
static const struct spf_answer *find_answer(struct evaluation *ev, int type, const char *name)
{
    const struct spf_answer *answer = spf_answers_find(ev->answers, type, name);

    if (answer == NULL) {
        ev->needs_more = true;
        ev->next->type = type;
        (void)text_copy(ev->next->name, sizeof ev->next->name, name);
    }
    return answer;
}

static enum match count_lookup(struct evaluation *ev)
{
    ev->is_void = false;
    return ++ev->lookups > SPF_LOOKUPS_MAX
               ? stop_with(ev, SPF_OUTCOME_PERMERROR, "more than 10 terms ask DNS")
               : NO_MATCH;
}

/* RFC 7208 4.6.4: terms for which a query returns nothing. */
static enum match count_void(struct evaluation *ev)
{
    if (!ev->is_void)
        ev->voids++;
    ev->is_void = true;
    return ev->voids > SPF_VOID_LOOKUPS_MAX
               ? stop_with(ev, SPF_OUTCOME_PERMERROR,
                           "more than 2 terms ask for what does not exist")
               : NO_MATCH;
}

/*
 * MATCH: *answer has the records that a term asks for. NO_MATCH: there are none, which is counted.
 * Not for the client's own names: that those find nothing is no fault of the record's.
 */
static enum match find_records(struct evaluation *ev, int type, const char *name,
                               const struct spf_answer **answer)
{
    *answer = find_answer(ev, type, name);
    if (*answer == NULL)
        return STOP;
    switch (spf_answer_outcome(*answer)) {
    case DNS_FOUND:
        return MATCH;
    case DNS_FAILURE:
        return stop_with(ev, SPF_OUTCOME_TEMPERROR, "DNS gives no answer");
    default:
        return count_void(ev);
    }
}

/* --- The client ---------------------------------------------------------------- */

static bool is_v4(const struct evaluation *ev)
{
    return ip_is_v4(&ev->client);
}

/* Whether the client and one of the addresses that were found have so many first bits in common. */
static bool has_client(const struct evaluation *ev, const struct spf_answer *answer, unsigned bits)
{
    struct span octets;
    struct ip address;

    for (size_t at = 0; spf_answer_next(answer, &at, &octets);) {
        memcpy(address.octets, octets.at, sizeof address.octets);
        if (ip_has_prefix(&ev->client, &address, bits))
            return true;
    }
    return false;
}

/* The bits of struct ip that a term's network has, for a client of this family. */
static unsigned network_bits(const struct evaluation *ev, const struct spf_term *term)
{
    return is_v4(ev) ? IP_V4_MAPPED_BITS + term->v4_bits : term->v6_bits;
}

static int address_type(const struct evaluation *ev)
{
    return is_v4(ev) ? ns_t_a : ns_t_aaaa;
}

/* --- The client's names ----------------------------------------------------------- */

/* Which names of a domain are wanted. */
enum kin { KIN_ITSELF, KIN_BELOW, KIN_ANY };

static bool is_kin(const char *name, const char *domain, enum kin kin)
{
    const size_t name_len = strlen(name), len = strlen(domain);

    switch (kin) {
    case KIN_ITSELF:
        return strcmp(name, domain) == 0;
    case KIN_BELOW:
        return name_len > len && name[name_len - len - 1] == '.' &&
               strcmp(name + name_len - len, domain) == 0;
    default:
        return true;
    }
}

/* MATCH: the name has the client's address. A failure of DNS is NO_MATCH (RFC 7208 5.5). */
static enum match is_validated(struct evaluation *ev, const char *name)
{
    const struct spf_answer *answer = find_answer(ev, address_type(ev), name);

    if (answer == NULL)
        return STOP;
    return has_client(ev, answer, IP_BITS) ? MATCH : NO_MATCH;
}

/* Of the first ten names of the client, the first of that kin that is validated (RFC 7208 5.5). */
static enum match find_client_name(struct evaluation *ev, const char *domain, enum kin kin,
                                   char name[RB_DOMAIN_MAX + 1])
{
    const struct spf_answer *answer;
    struct span record;
    size_t at = 0;

    dns_name_of_ip(&ev->client, name);
    answer = find_answer(ev, ns_t_ptr, name);
    if (answer == NULL)
        return STOP;
    for (unsigned i = 0; i < SPF_HOSTS_MAX && spf_answer_next(answer, &at, &record); i++) {
        enum match match = NO_MATCH;

        if (text_copy_part(name, RB_DOMAIN_MAX + 1, record.at, record.len) &&
            is_kin(name, domain, kin))
            match = is_validated(ev, name);
        if (match != NO_MATCH)
            return match;
    }
    return NO_MATCH;
}

/* For the macro "p": a name that is the domain's own is preferred (RFC 7208 7.3). */
static enum match get_client_name(struct evaluation *ev, const char *domain,
                                  char name[RB_DOMAIN_MAX + 1])
{
    enum match match = NO_MATCH;

    if (!ev->has_counted_pointers && count_lookup(ev) == STOP)
        return STOP;
    ev->has_counted_pointers = true;
    for (int kin = KIN_ITSELF; kin <= KIN_ANY && match == NO_MATCH; kin++)
        match = find_client_name(ev, domain, (enum kin)kin, name);
    if (match == NO_MATCH)
        (void)text_copy(name, RB_DOMAIN_MAX + 1, "unknown");
    return match == STOP ? STOP : MATCH;
}

/* --- Targets ----------------------------------------------------------------------- */

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* MATCH: name is what a domain-spec in the record of that domain stands for. NO_MATCH: none. */
static enum match expand_spec(struct evaluation *ev, const char *domain, struct span spec,
                              char name[RB_DOMAIN_MAX + 1])
{
    const unsigned uses = spf_macro_uses(spec);
    char client_name[RB_DOMAIN_MAX + 1] = "";
    const struct spf_macros macros = {
        .client = &ev->client,
        .local = ev->local,
        .sender_domain = ev->domain,
        .domain = domain,
        .helo = text_or_empty(ev->question->helo),
        .client_name = client_name,
    };

    if ((uses & SPF_USES_CLIENT_NAME) != 0 && get_client_name(ev, domain, client_name) == STOP)
        return STOP;
    ev->result->by_sender = ev->result->by_sender || (uses & SPF_USES_SENDER) != 0;
    ev->result->by_helo = ev->result->by_helo || (uses & SPF_USES_HELO) != 0;
    return spf_macro_expand(spec, &macros, name) ? MATCH : NO_MATCH;
}

/* The target of a term: what its domain-spec stands for, or the domain itself. */
static enum match find_target(struct evaluation *ev, const char *domain,
                              const struct spf_term *term, char name[RB_DOMAIN_MAX + 1])
{
    if (term->domain.len > 0)
        return expand_spec(ev, domain, term->domain, name);
    (void)text_copy(name, RB_DOMAIN_MAX + 1, domain);
    return MATCH;
}

/* --- Mechanisms ---------------------------------------------------------------------- */

/* RFC 7208 5.3 */
static enum match match_host(struct evaluation *ev, const struct spf_term *term, const char *name)
{
    const struct spf_answer *answer;
    const enum match found = find_records(ev, address_type(ev), name, &answer);

    if (found != MATCH)
        return found;
    if (has_client(ev, answer, network_bits(ev, term)))
        return match_by(ev, name);
    return spf_answer_is_cut(answer) ? stop_with(ev, SPF_OUTCOME_TEMPERROR,
                                                 "a host has more addresses than are looked at")
                                     : NO_MATCH;
}

/* RFC 7208 5.4 */
static enum match match_mail_hosts(struct evaluation *ev, const struct spf_term *term,
                                   const char *name)
{
    const struct spf_answer *answer;
    enum match match = find_records(ev, ns_t_mx, name, &answer);
    struct span record;
    char host[RB_DOMAIN_MAX + 1];

    if (match != MATCH)
        return match;
    if (spf_answer_count(answer) > SPF_HOSTS_MAX)
        return stop_with(ev, SPF_OUTCOME_PERMERROR, "a domain has more than 10 mail hosts");
    match = NO_MATCH;
    for (size_t at = 0; match == NO_MATCH && spf_answer_next(answer, &at, &record);)
        if (text_copy_part(host, sizeof host, record.at, record.len))
            match = match_host(ev, term, host);
    return match;
}

/* RFC 7208 5.5 */
static enum match match_pointer(struct evaluation *ev, const char *target)
{
    char name[RB_DOMAIN_MAX + 1];
    enum match match;

    ev->has_counted_pointers = true;
    match = find_client_name(ev, target, KIN_ITSELF, name);
    if (match == NO_MATCH)
        match = find_client_name(ev, target, KIN_BELOW, name);
    return match == MATCH ? match_by(ev, name) : match;
}

/* RFC 7208 5.7 */
static enum match match_existence(struct evaluation *ev, const char *name)
{
    const struct spf_answer *answer;

    return find_records(ev, ns_t_a, name, &answer);
}

static enum match check_host(struct evaluation *ev, const char *start, enum spf_outcome *outcome);

/* RFC 7208 5.2 */
static enum match match_include(struct evaluation *ev, const char *target)
{
    enum spf_outcome outcome;

    if (check_host(ev, target, &outcome) == STOP)
        return STOP;
    if (outcome == SPF_OUTCOME_NONE)
        return stop_with(ev, SPF_OUTCOME_PERMERROR, "an include leads there, to no SPF record");
    return outcome == SPF_OUTCOME_PASS ? MATCH : NO_MATCH;
}

/* A mechanism that asks DNS. */
static enum match match_by_dns(struct evaluation *ev, const char *domain,
                               const struct spf_term *term)
{
    char target[RB_DOMAIN_MAX + 1];
    enum match match = count_lookup(ev);

    if (match != STOP)
        match = find_target(ev, domain, term, target);
    if (match == NO_MATCH && term->kind == SPF_INCLUDE)
        return stop_with(ev, SPF_OUTCOME_PERMERROR, "what it names cannot exist");
    if (match != MATCH)
        return match;
    switch (term->kind) {
    case SPF_INCLUDE:
        return match_include(ev, target);
    case SPF_A:
        return match_host(ev, term, target);
    case SPF_MX:
        return match_mail_hosts(ev, term, target);
    case SPF_PTR:
        return match_pointer(ev, target);
    default:
        return match_existence(ev, target);
    }
}

static enum match match_term(struct evaluation *ev, const char *domain, const struct spf_term *term)
{
    switch (term->kind) {
    case SPF_ALL:
        return MATCH;
    case SPF_IP4:
    case SPF_IP6:
        return is_v4(ev) == (term->kind == SPF_IP4) &&
                       ip_has_prefix(&ev->client, &term->network, network_bits(ev, term))
                   ? MATCH
                   : NO_MATCH;
    case SPF_REDIRECT:
    case SPF_EXP:
    case SPF_OTHER:
        return NO_MATCH;
    default:
        return match_by_dns(ev, domain, term);
    }
}

/* --- Records -------------------------------------------------------------------------- */

/* MATCH: *record is the one SPF record of the domain (RFC 7208 4.4, 4.5). NO_MATCH: it has none. */
static enum match find_record(struct evaluation *ev, const char *domain, struct span *record)
{
    const struct spf_answer *answer = find_answer(ev, ns_t_txt, domain);
    size_t at = 0;

    if (answer == NULL)
        return STOP;
    note_place(ev, domain, (struct span){"", 0});
    if (spf_answer_outcome(answer) == DNS_FAILURE)
        return stop_with(ev, SPF_OUTCOME_TEMPERROR, "DNS gives no answer");
    if (spf_answer_count(answer) > 1)
        return stop_with(ev, SPF_OUTCOME_PERMERROR, "a domain has several SPF records");
    if (spf_answer_is_cut(answer))
        return stop_with(ev, SPF_OUTCOME_TEMPERROR,
                         "a domain has more TXT records than are looked at");
    return spf_answer_next(answer, &at, record) ? MATCH : NO_MATCH;
}

/* The same, but PERMERROR where its grammar is wrong (RFC 7208 4.6). */
static enum match get_record(struct evaluation *ev, const char *domain, struct span *record)
{
    const enum match match = find_record(ev, domain, record);
    struct spf_term bad;

    if (match != MATCH || spf_record_is_good(*record, &bad))
        return match;
    note_place(ev, domain, bad.text);
    return stop_with(ev, SPF_OUTCOME_PERMERROR, "the record breaks the rules");
}

static enum spf_outcome outcome_of(char qualifier)
{
    switch (qualifier) {
    case '-':
        return SPF_OUTCOME_FAIL;
    case '~':
        return SPF_OUTCOME_SOFTFAIL;
    case '?':
        return SPF_OUTCOME_NEUTRAL;
    default:
        return SPF_OUTCOME_PASS;
    }
}

/* What the record's mechanisms say; *redirect: the modifier, if it has one. */
static enum match match_record(struct evaluation *ev, const char *domain, struct span record,
                               enum spf_outcome *outcome, struct spf_term *redirect)
{
    struct span rest = spf_record_terms(record);
    struct spf_term term;

    redirect->text.len = 0;
    while (spf_record_next(&rest, &term)) {
        enum match match;

        if (term.kind == SPF_REDIRECT)
            *redirect = term;
        note_place(ev, domain, term.text);
        match = match_term(ev, domain, &term);
        *outcome = outcome_of(term.qualifier);
        if (match != NO_MATCH)
            return match;
    }
    note_place(ev, domain, redirect->text);
    return NO_MATCH;
}

/* RFC 7208 6.1: *domain becomes the one whose record counts instead. */
static enum match follow_redirect(struct evaluation *ev, const struct spf_term *redirect,
                                  char domain[RB_DOMAIN_MAX + 1])
{
    char target[RB_DOMAIN_MAX + 1];
    enum match match = count_lookup(ev);

    if (match != STOP)
        match = expand_spec(ev, domain, redirect->domain, target);
    if (match == NO_MATCH)
        return stop_with(ev, SPF_OUTCOME_PERMERROR, "what it names cannot exist");
    if (match == MATCH)
        (void)text_copy(domain, RB_DOMAIN_MAX + 1, target);
    return match;
}

/*
 * check_host of RFC 7208 4 for a domain that may be one. Other than STOP: *outcome is the result,
 * and no error.
 */
static enum match check_host(struct evaluation *ev, const char *start, enum spf_outcome *outcome)
{
    char domain[RB_DOMAIN_MAX + 1];
    struct spf_term redirect = {.text = {"", 0}};
    struct span record;

    (void)text_copy(domain, sizeof domain, start);
    for (;;) { /* ends: each redirect is counted */
        enum match match = get_record(ev, domain, &record);

        *outcome = SPF_OUTCOME_NONE;
        if (match == NO_MATCH && redirect.text.len > 0)
            return stop_with(ev, SPF_OUTCOME_PERMERROR, "a redirect leads there, to no SPF record");
        if (match != MATCH)
            return match;
        match = match_record(ev, domain, record, outcome, &redirect);
        if (match != NO_MATCH)
            return match;
        *outcome = SPF_OUTCOME_NEUTRAL;
        if (redirect.text.len == 0)
            return NO_MATCH;
        if (follow_redirect(ev, &redirect, domain) == STOP)
            return STOP;
    }
}

/* RFC 7208 4.3: in lower case and without a dot at its end. False for what is no such domain. */
static bool set_domain(struct evaluation *ev, const char *domain)
{
    size_t len = domain != NULL ? strnlen(domain, sizeof ev->domain + 1) : 0;
    char name[RB_DOMAIN_MAX + 1];

    if (len > 0 && domain[len - 1] == '.')
        len--;
    return len > 0 && text_copy_part(name, sizeof name, domain, len) && strchr(name, '.') != NULL &&
           dns_name_of_host(name, ev->domain);
}

/* False: nobody whom SPF could know. */
static bool begin(struct evaluation *ev)
{
    *ev->result = (struct spf_result){.outcome = SPF_OUTCOME_NONE};
    ev->local = text_or_empty(ev->question->local);
    if (ev->local[0] == '\0')
        ev->local = "postmaster";
    return ip_from_sockaddr(ev->question->client, &ev->client) &&
           set_domain(ev, ev->question->domain);
}

bool spf_evaluate(const struct spf_question *question, const struct spf_answers *answers,
                  struct spf_result *result, struct spf_lookup *next)
{
    struct evaluation ev = {
        .question = question, .answers = answers, .result = result, .next = next};
    enum spf_outcome outcome;

    if (begin(&ev) && check_host(&ev, ev.domain, &outcome) != STOP)
        result->outcome = outcome;
    return !ev.needs_more;
}

bool spf_evaluate_record(const struct spf_question *question, const char *record,
                         const struct spf_answers *answers, struct spf_result *result,
                         struct spf_lookup *next)
{
    struct evaluation ev = {
        .question = question, .answers = answers, .result = result, .next = next};
    const struct span text = {record, strlen(record)};
    struct spf_term redirect = {.text = {"", 0}};
    enum spf_outcome outcome;

    if (begin(&ev) && match_record(&ev, ev.domain, text, &outcome, &redirect) == MATCH)
        result->outcome = outcome;
    return !ev.needs_more;
}

const char *spf_outcome_name(enum spf_outcome outcome)
{
    static const char *const names[] = {
        [SPF_OUTCOME_NONE] = "none",           [SPF_OUTCOME_PASS] = "pass",
        [SPF_OUTCOME_NEUTRAL] = "neutral",     [SPF_OUTCOME_SOFTFAIL] = "softfail",
        [SPF_OUTCOME_FAIL] = "fail",           [SPF_OUTCOME_TEMPERROR] = "temperror",
        [SPF_OUTCOME_PERMERROR] = "permerror",
    };

    return (size_t)outcome < sizeof names / sizeof names[0] ? names[outcome] : "?";
}
