/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_query: see the header. A look-up reads what dns_answers.h has kept of its name, or else what
 * dns_exchange.h brings, by libresolv's parser, and goes on where a CNAME leads.
 */
#include "config.h"

#include "dns/query.h"

#include "dns/exchange.h"

#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

enum {
    CNAME_HOPS_MAX = 8,    /* in one look-up, over all answers; a loop ends here */
    NAME_MAX_OCTETS = 253, /* RFC 1035 2.3.4: 255 on the wire */
    LABEL_MAX_OCTETS = 63,
};

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

/* --- Names --------------------------------------------------------------- */

static const char host_octets[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* All printable ones but the dot and the backslash, which both mean something in a name as text. */
static const char any_octets[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
                                 " !\"#$%&'()*+,/:;<=>?@[]^`{|}~";

/* Octets of the label that text begins with; 0 when it is none. */
static size_t label_length(const char *text, const char *octets)
{
    size_t len = strspn(text, octets);
    return len <= LABEL_MAX_OCTETS ? len : 0;
}

/*
 * Copies a name in lower case. False for anything that has other octets than these in its labels,
 * an empty or long label, or a dot at the end.
 */
static bool name_of(const char *octets, const char *text, char name[RB_DOMAIN_MAX + 1])
{
    size_t len = strnlen(text, NAME_MAX_OCTETS + 1);
    if (len > NAME_MAX_OCTETS)
        return false;
    for (size_t at = 0; at <= len;) {
        size_t label = label_length(text + at, octets);
        if (label == 0 || (text[at + label] != '.' && text[at + label] != '\0'))
            return false;
        at += label + 1;
    }
    for (size_t i = 0; i <= len; i++) {
        bool is_upper = text[i] >= 'A' && text[i] <= 'Z';
        name[i] = (char)(is_upper ? text[i] + ('a' - 'A') : text[i]);
    }
    return true;
}

bool dns_host_name(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    return name_of(host_octets, text, name);
}

/*
 * What stands at a backslash: "\064" or "\@". Its length; 0 where it is one of those two that mean
 * something in a name as text, or none at all.
 */
static size_t read_escape(const char *text, char *octet)
{
    size_t digits = strspn(text + 1, "0123456789");
    int code = (unsigned char)text[1];
    if (digits >= 3)
        code = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    else if (digits > 0)
        return 0;
    *octet = (char)code;
    if (code == '\0' || code == '.' || code == '\\')
        return 0;
    return digits >= 3 ? 4 : 2;
}

bool dns_any_name(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    char plain[NAME_MAX_OCTETS + 1];
    size_t len = 0;
    while (*text != '\0' && len < sizeof plain - 1) {
        size_t used = 1;
        plain[len] = *text;
        if (*text == '\\')
            used = read_escape(text, &plain[len]);
        if (used == 0)
            return false;
        text += used;
        len++;
    }
    plain[len] = '\0';
    return *text == '\0' && name_of(any_octets, plain, name);
}

bool dns_can_ask(const char *name)
{
    char copy[RB_DOMAIN_MAX + 1];
    return name_of(any_octets, name, copy);
}

/* Whether the record's owner is this name, which is one that name_of wrote. */
static bool is_name(const ns_rr *rr, const char *name)
{
    char owner[RB_DOMAIN_MAX + 1];
    return dns_any_name(ns_rr_name(*rr), owner) && strcmp(owner, name) == 0;
}

/* --- Reading answers ------------------------------------------------------- */

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
        !is_name(&question, lookup->name))
        return false;
    int rcode = ns_msg_getflag(*msg, ns_f_rcode) | extended_rcode(msg);
    return rcode == ns_r_noerror || rcode == ns_r_nxdomain;
}

bool dns_name_in_data(const ns_msg *msg, const ns_rr *rr, size_t offset, char text[NS_MAXDNAME])
{
    const uint8_t *data = ns_rr_rdata(*rr);
    size_t len = ns_rr_rdlen(*rr);
    if (len <= offset)
        return false;
    int used =
        ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data + offset, text, NS_MAXDNAME);
    return used >= 0 && (size_t)used == len - offset;
}

static bool is_record(const struct lookup *lookup, const ns_rr *rr, ns_type type)
{
    return ns_rr_type(*rr) == type && ns_rr_class(*rr) == ns_c_in && is_name(rr, lookup->name);
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
            !(lookup->of->any_name ? dns_any_name : dns_host_name)(target, lookup->name))
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
    if (is_new && lookup->of->kept != NULL && lookup->outcome != DNS_FAILURE)
        dns_answers_keep(lookup->of->kept, lookup->of->type, asked, &lookup->msg);
    /* Again where it held CNAMEs and nothing else; ends by CNAME_HOPS_MAX. */
    return lookup->outcome == DNS_NO_DATA && lookup->cname_hops > hops ? DNS_READING_ASK
                                                                       : DNS_READING_DONE;
}

static bool has_time(const struct lookup *lookup)
{
    return deadline_left_ms(lookup->dns->clock, lookup->until) > 0;
}

/* What was said a moment ago. */
static enum dns_reading recall(struct lookup *lookup)
{
    uint8_t kept[DNS_ANSWERS_SIZE_MAX];
    size_t len = 0;
    if (lookup->of->kept != NULL && (lookup->of->kept_late || has_time(lookup)))
        len = dns_answers_find(lookup->of->kept, lookup->of->type, lookup->name, kept);
    return len > 0 ? read_message(lookup, kept, len, false) : DNS_READING_NOTHING;
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
static bool begin(struct lookup *lookup, const struct dns *dns, const struct dns_query *query,
                  deadline until)
{
    *lookup = (struct lookup){
        .dns = dns,
        .of = query,
        .until = until,
        .outcome = DNS_FAILURE,
        .asker = {.read = take_answer, .arg = lookup},
    };
    return name_of(query->any_name ? any_octets : host_octets, query->name, lookup->name) &&
           must_ask(lookup);
}

static void ask(const struct dns *dns, const struct dns_server_list *list,
                struct dns_asker *const askers[], size_t count, deadline until,
                deadline until_alone)
{
    const struct dns_exchange_settings settings = {
        .clock = dns->clock,
        .cancel_fd = dns->cancel_fd,
        .servers = dns->servers,
        .list = list,
        .until = until,
        .until_alone = until_alone,
    };
    dns_exchange(&settings, askers, count);
}

enum dns_outcome dns_query(const struct dns *dns, const struct dns_query *query, deadline until)
{
    struct lookup lookup;
    struct dns_asker *const asker = &lookup.asker;
    struct dns_server_list list;
    if (begin(&lookup, dns, query, until) && dns_servers_list(dns->servers, &list))
        ask(dns, &list, &asker, 1, until, until);
    return lookup.outcome;
}

void dns_query_both(const struct dns *dns, const struct dns_query query[2], deadline until,
                    enum dns_outcome outcome[2])
{
    /* A server that is deaf to one type shall not take the time that the other is good for. */
    const deadline half = deadline_in(dns->clock, deadline_left_ms(dns->clock, until) / 2);
    struct lookup lookups[DNS_EXCHANGES_AT_ONCE];
    struct dns_asker *askers[DNS_EXCHANGES_AT_ONCE];
    struct dns_server_list list;
    size_t count = 0;
    for (size_t i = 0; i < DNS_EXCHANGES_AT_ONCE; i++)
        if (begin(&lookups[i], dns, &query[i], until))
            askers[count++] = &lookups[i].asker;
    if (count > 0 && dns_servers_list(dns->servers, &list)) {
        if (count == 2 && !list.one_at_a_time) {
            ask(dns, &list, askers, count, until, half);
        } else {
            ask(dns, &list, askers, 1, half, half);
            if (count == 2)
                ask(dns, &list, askers + 1, 1, until, until);
        }
    }
    for (size_t i = 0; i < DNS_EXCHANGES_AT_ONCE; i++)
        outcome[i] = lookups[i].outcome;
}
