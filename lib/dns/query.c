/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query: see the header. A look-up reads what dns_answers has kept of its name, or else what
 * dns_exchange brings, by libresolv's parser, and goes on where a CNAME leads.
 */
#include "config.h"

#include "dns/query.h"

#include "dns/exchange.h"
#include "dns/name.h"

#include <resolv.h>
#include <stdlib.h>
#include <string.h>

enum { CNAME_HOPS_MAX = 8 }; /* in one look-up, over all answers; a loop ends here */

/* One look-up under way: a name and a type, asked again where CNAMEs lead on. */
struct lookup {
    const struct dns *dns;
    const struct dns_query *of;
    deadline until;
    char name[RB_DOMAIN_MAX + 1];
    unsigned cname_hops;
    ns_msg msg; /* what was said last */
    enum dns_outcome outcome;
    struct dns_asker asker;
};

/* --- Reading answers ------------------------------------------------------- */

/* Whether the record is one of this name, which is in lower case. */
static bool is_owned_by(const ns_rr *rr, const char *name)
{
    char owner[RB_DOMAIN_MAX + 1];
    return dns_name_of_any(ns_rr_name(*rr), owner) && strcmp(owner, name) == 0;
}

/* RFC 6891 6.1.3: eight more bits of the code, where there is an OPT. */
static int extended_rcode(ns_msg *msg)
{
    ns_rr rr;
    for (int i = 0; i < ns_msg_count(*msg, ns_s_ar); i++)
        if (ns_parserr(msg, ns_s_ar, i, &rr) == 0 && ns_rr_type(rr) == ns_t_opt)
            return (int)(ns_rr_ttl(rr) >> 24) << 4;
    return 0;
}

/* Parses an answer; true when it is one to our question that says something. */
static bool can_be_read(struct lookup *lookup, const uint8_t *answer, size_t len)
{
    ns_rr question;
    ns_msg *msg = &lookup->msg;
    if (len < NS_HFIXEDSZ || ns_initparse(answer, (int)len, msg) != 0)
        return false;
    if (ns_msg_getflag(*msg, ns_f_qr) != 1 || ns_msg_getflag(*msg, ns_f_opcode) != ns_o_query ||
        ns_msg_getflag(*msg, ns_f_tc) != 0 || ns_msg_count(*msg, ns_s_qd) != 1 ||
        ns_parserr(msg, ns_s_qd, 0, &question) != 0)
        return false;
    if (ns_rr_type(question) != lookup->of->type || ns_rr_class(question) != ns_c_in ||
        !is_owned_by(&question, lookup->name))
        return false;
    int rcode = ns_msg_getflag(*msg, ns_f_rcode) | extended_rcode(msg);
    return rcode == ns_r_noerror || rcode == ns_r_nxdomain;
}

static bool is_record(const struct lookup *lookup, const ns_rr *rr, ns_type type)
{
    return ns_rr_type(*rr) == type && ns_rr_class(*rr) == ns_c_in && is_owned_by(rr, lookup->name);
}

/* A name as the query wants it; false where it is none such. */
static bool copy_name(const struct dns_query *query, const char *text, char name[RB_DOMAIN_MAX + 1])
{
    return (query->any_name ? dns_name_of_any : dns_name_of_host)(text, name);
}

enum cname { CNAME_NONE, CNAME_FOUND, CNAME_BROKEN };

/* Where the answer has a CNAME for lookup->name, lookup->name becomes its target. */
static enum cname follow_cname(struct lookup *lookup)
{
    for (int i = 0; i < ns_msg_count(lookup->msg, ns_s_an); i++) {
        ns_rr rr;
        char target[NS_MAXDNAME];
        if (ns_parserr(&lookup->msg, ns_s_an, i, &rr) != 0)
            return CNAME_BROKEN;
        if (!is_record(lookup, &rr, ns_t_cname))
            continue;
        if (++lookup->cname_hops > CNAME_HOPS_MAX ||
            !dns_name_in_data(&lookup->msg, &rr, 0, target) ||
            !copy_name(lookup->of, target, lookup->name))
            return CNAME_BROKEN;
        return CNAME_FOUND;
    }
    return CNAME_NONE;
}

/* Hands over the records of lookup->name. */
static enum dns_outcome take_records(struct lookup *lookup)
{
    enum dns_outcome outcome = DNS_NO_DATA;
    for (int i = 0; i < ns_msg_count(lookup->msg, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&lookup->msg, ns_s_an, i, &rr) != 0)
            return DNS_FAILURE;
        if (!is_record(lookup, &rr, lookup->of->type))
            continue;
        if (!lookup->of->take(&lookup->msg, &rr, lookup->of->arg))
            return DNS_FAILURE;
        outcome = DNS_FOUND;
    }
    return outcome;
}

static enum dns_outcome read_answer(struct lookup *lookup)
{
    /* Of a chain of CNAMEs too, the code is that of the last name (RFC 6604 3). */
    if (ns_msg_getflag(lookup->msg, ns_f_rcode) == ns_r_nxdomain)
        return DNS_NO_DOMAIN;
    enum cname cname;
    do /* ends by CNAME_HOPS_MAX */
        cname = follow_cname(lookup);
    while (cname == CNAME_FOUND);
    return cname == CNAME_BROKEN ? DNS_FAILURE : take_records(lookup);
}

/* --- The look-up ------------------------------------------------------------- */

/* Keeps what was said of a name, wherever that may be of use. */
static void keep(struct lookup *lookup, const char *asked)
{
    const struct dns_query *of = lookup->of;

    if (of->kept != NULL)
        dns_answers_keep(of->kept, of->type, asked, &lookup->msg);
    if (of->also != NULL)
        dns_answers_keep(of->also, of->type, asked, &lookup->msg);
}

/* Reads what was said of lookup->name, which becomes what its CNAMEs lead to. */
static enum dns_reading read_message(struct lookup *lookup, const uint8_t *octets, size_t len,
                                     bool is_new)
{
    char asked[sizeof lookup->name];
    const unsigned hops = lookup->cname_hops;
    if (!can_be_read(lookup, octets, len))
        return DNS_READING_NOTHING;
    memcpy(asked, lookup->name, sizeof asked);
    lookup->outcome = read_answer(lookup);
    if (is_new && lookup->outcome != DNS_FAILURE)
        keep(lookup, asked);
    /* Again where it held CNAMEs and nothing else; ends by CNAME_HOPS_MAX. */
    return lookup->outcome == DNS_NO_DATA && lookup->cname_hops > hops ? DNS_READING_ASK
                                                                       : DNS_READING_DONE;
}

static bool has_time(const struct lookup *lookup)
{
    return !deadline_is_over(lookup->dns->clock, lookup->until);
}

/* Its length; 0: nothing is kept. */
static size_t find_kept(const struct lookup *lookup, uint8_t octets[DNS_ANSWERS_SIZE_MAX])
{
    const struct dns_query *of = lookup->of;
    const size_t len = dns_answers_find(of->kept, of->type, lookup->name, octets);

    return len == 0 && of->also != NULL ? dns_answers_find(of->also, of->type, lookup->name, octets)
                                        : len;
}

/* What was said a moment ago. */
static enum dns_reading recall(struct lookup *lookup)
{
    enum dns_reading reading = DNS_READING_NOTHING;
    uint8_t *kept = NULL;
    size_t len = 0;
    if (lookup->of->kept != NULL && (lookup->of->kept_late || has_time(lookup)))
        kept = malloc(DNS_ANSWERS_SIZE_MAX);
    if (kept != NULL)
        len = find_kept(lookup, kept);
    if (len > 0)
        reading = read_message(lookup, kept, len, false);
    free(kept);
    return reading;
}

/* Whether somebody must be asked about lookup->name, or what its CNAMEs lead to. */
static bool must_ask(struct lookup *lookup)
{
    enum dns_reading reading;
    do
        reading = recall(lookup);
    while (reading == DNS_READING_ASK);
    if (reading == DNS_READING_DONE)
        return false;
    lookup->outcome = DNS_FAILURE; /* until there is an answer */
    return has_time(lookup) &&
           dns_question_make(&lookup->asker.question, lookup->name, lookup->of->type);
}

static enum dns_reading take_answer(struct dns_question *question, const uint8_t *octets,
                                    size_t len, void *arg)
{
    struct lookup *lookup = arg;
    const enum dns_reading reading = read_message(lookup, octets, len, true);
    (void)question; /* the look-up's own: must_ask makes it */
    if (reading != DNS_READING_ASK)
        return reading;
    return must_ask(lookup) ? DNS_READING_ASK : DNS_READING_DONE;
}

/* Whether somebody must be asked. */
static bool begin_lookup(struct lookup *lookup, const struct dns *dns,
                         const struct dns_query *query, deadline until)
{
    *lookup = (struct lookup){
        .dns = dns,
        .of = query,
        .until = until,
        .outcome = DNS_FAILURE,
        .asker = {.read = take_answer, .arg = lookup},
    };
    if (query->any_name && !dns_name_can_be_asked(query->name))
        return false;
    return copy_name(query, query->name, lookup->name) && must_ask(lookup);
}

void dns_query(const struct dns *dns, const struct dns_query query[], size_t count, deadline until,
               enum dns_outcome outcome[])
{
    /* A server that is deaf to one type shall not take the time that the other is good for. */
    const deadline half = deadline_in(dns->clock, deadline_left_ms(dns->clock, until) / 2);
    struct lookup lookups[DNS_QUERIES_MAX];
    struct dns_asker *askers[DNS_QUERIES_MAX];
    struct dns_exchange_settings settings = {.clock = dns->clock,
                                             .cancel_fd = dns->cancel_fd,
                                             .servers = dns->servers,
                                             .until_alone = half};
    size_t to_ask = 0;
    for (size_t i = 0; i < count; i++)
        if (begin_lookup(&lookups[i], dns, &query[i], until))
            askers[to_ask++] = &lookups[i].asker;
    if (to_ask > 0 && dns_servers_list(dns->servers, &settings.list)) {
        const size_t at_once = settings.list.one_at_a_time ? 1 : to_ask;
        for (size_t i = 0; i < to_ask; i += at_once) {
            settings.until = i + at_once == count ? until : half;
            dns_exchange(&settings, askers + i, at_once);
        }
    }
    for (size_t i = 0; i < count; i++)
        outcome[i] = lookups[i].outcome;
}
