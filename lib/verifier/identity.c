/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * identity: see the header (RFC 5321 4.1.4 and 4.1.3, RFC 1912 2.1, RFC 8499: forward-confirmed
 * reverse DNS). It must not change what is called or how.
 */
#include "config.h"

#include "verifier/identity.h"

#include <arpa/nameser.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "dns/name.h"
#include "dns/records.h"
#include "mail/netguard.h"

/* What there is to compare with. */
struct check {
    const struct dns *dns;
    const struct options *options;
    const struct rb_network *own;
    size_t own_count;
    deadline until;
    /* Where calls come from: the first of those that the Internet can see. */
    struct ip address[IDENTITY_ADDRESSES_MAX];
    size_t count;
    struct identity *identity;
};

/* The answer to a question with a name in it. */
enum answer {
    ANSWER_YES,
    ANSWER_NO,
    ANSWER_NOTHING, /* no such records at all */
    ANSWER_FAILURE, /* nobody could say */
};

__attribute__((format(printf, 2, 3))) static void warn(struct check *check, const char *format, ...)
{
    struct identity *identity = check->identity;
    va_list arguments;
    if (identity->count == IDENTITY_WARNINGS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(identity->warning[identity->count++], IDENTITY_WARNING_SIZE, format, arguments);
    va_end(arguments);
}

/* --- Where we call from ------------------------------------------------------ */

/* Whether calls go out from this address, and the Internet can see it. */
static bool is_visible(const struct check *check, const struct ip *source)
{
    const struct netguard nobody = {.allowed = NULL};
    const enum rb_ip_version version = check->options->o.ip_version;
    const struct sockaddr_storage address = ip_to_sockaddr(source);
    return (version == RB_IP_ANY || (version == RB_IP_V4) == ip_is_v4(source)) &&
           netguard_judge(&nobody, (const struct sockaddr *)&address) == NETGUARD_CALLABLE;
}

static size_t source_count(const struct check *check)
{
    return check->options->bind_count > 0 ? check->options->bind_count : check->own_count;
}

/* The address at index among all that calls may come from. */
static struct ip source_at(const struct check *check, size_t index)
{
    struct ip ip = {{0}};
    if (check->options->bind_count > 0)
        (void)ip_from_sockaddr((const struct sockaddr *)&check->options->bind[index], &ip);
    else
        memcpy(ip.octets, check->own[index].addr, sizeof ip.octets);
    return ip;
}

static void find_addresses(struct check *check)
{
    for (size_t i = 0; i < source_count(check) && check->count < IDENTITY_ADDRESSES_MAX; i++) {
        const struct ip source = source_at(check, i);
        if (is_visible(check, &source))
            check->address[check->count++] = source;
    }
}

/* Whether calls may come from this address: all of them are compared, not just the first few. */
static bool is_ours(const struct check *check, const struct ip *ip)
{
    for (size_t i = 0; i < source_count(check); i++) {
        const struct ip source = source_at(check, i);
        if (is_visible(check, &source) && ip_is_same(&source, ip))
            return true;
    }
    return false;
}

static const char *text_of(const struct ip *ip, char text[INET6_ADDRSTRLEN])
{
    ip_text(ip, text);
    return text;
}

/* The type of record that such an address stands in. */
static int type_of(const struct ip *ip)
{
    return ip_is_v4(ip) ? ns_t_a : ns_t_aaaa;
}

/* --- The EHLO name ----------------------------------------------------------- */

/* Whether the name has one of our addresses, of this type; other: one that is not ours. */
static enum answer resolves_to_us(const struct check *check, const char *name, int type,
                                  char other[INET6_ADDRSTRLEN])
{
    struct dns_record_list list;
    enum answer answer = ANSWER_NOTHING;
    switch (dns_records(check->dns, name, type, check->until, &list)) {
    case DNS_FOUND:
        answer = list.is_cut ? ANSWER_FAILURE : ANSWER_NO;
        if (check->count == 0)
            answer = ANSWER_YES; /* nothing to compare with: that it resolves must do */
        break;
    case DNS_FAILURE:
        answer = ANSWER_FAILURE;
        break;
    default:
        break;
    }
    for (size_t i = 0; i < list.count && answer != ANSWER_YES; i++) {
        if (is_ours(check, &list.record[i].ip))
            answer = ANSWER_YES;
        else
            ip_text(&list.record[i].ip, other);
    }
    dns_records_free(&list);
    return answer;
}

/* What the two families come to: yes before no, and no only when both are known. */
static enum answer both(enum answer a, enum answer b)
{
    if (a == ANSWER_YES || b == ANSWER_YES)
        return ANSWER_YES;
    if (a == ANSWER_FAILURE || b == ANSWER_FAILURE)
        return ANSWER_FAILURE;
    return a == ANSWER_NO || b == ANSWER_NO ? ANSWER_NO : ANSWER_NOTHING;
}

static void check_name(struct check *check, const char *name)
{
    char other[INET6_ADDRSTRLEN] = "", first[INET6_ADDRSTRLEN] = "this host's public address";
    enum answer v6 = resolves_to_us(check, name, ns_t_aaaa, other);
    enum answer v4 = v6 == ANSWER_YES ? v6 : resolves_to_us(check, name, ns_t_a, other);
    if (check->count > 0)
        (void)text_of(&check->address[0], first);
    switch (both(v4, v6)) {
    case ANSWER_YES:
        return;
    case ANSWER_NO:
        warn(check,
             "the EHLO name %s resolves to %s, but calls come from %s: give the name an %s "
             "record for that address, or use a name that has one",
             name, other, first, ip_is_v4(&check->address[0]) ? "A" : "AAAA");
        return;
    case ANSWER_NOTHING:
        warn(check,
             "the EHLO name %s has neither an A nor an AAAA record, and many mail hosts refuse "
             "such callers: it should have one for %s",
             name, first);
        return;
    case ANSWER_FAILURE:
        warn(check, "the EHLO name %s could not be looked up: it is not known to resolve to %s",
             name, first);
        return;
    }
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", in canonical form. */
static void check_literal(struct check *check, const char *literal)
{
    static const char tag[] = "[IPv6:";
    char text[INET6_ADDRSTRLEN], first[INET6_ADDRSTRLEN];
    const bool is_v6 = strncmp(literal, tag, sizeof tag - 1) == 0;
    const char *start = literal + (is_v6 ? sizeof tag - 1 : 1);
    struct sockaddr_storage address;
    struct ip ip;
    if (check->count == 0 || !text_copy_part(text, sizeof text, start, strcspn(start, "]")) ||
        !ip_sockaddr_parse(text, &address) ||
        !ip_from_sockaddr((const struct sockaddr *)&address, &ip) || is_ours(check, &ip))
        return;
    warn(check,
         "the EHLO name %s is not an address that calls come from: that is %s, and a host name "
         "that resolves to it would be better still",
         literal, text_of(&check->address[0], first));
}

/* --- PTR records -------------------------------------------------------------- */

/* Whether the name resolves to just this address. */
static enum answer resolves_to(const struct check *check, const char *name,
                               const struct ip *address)
{
    struct dns_record_list list;
    enum answer answer = ANSWER_NO;
    if (dns_records(check->dns, name, type_of(address), check->until, &list) == DNS_FAILURE ||
        list.is_cut)
        answer = ANSWER_FAILURE;
    for (size_t i = 0; i < list.count && answer != ANSWER_YES; i++) {
        if (ip_is_same(&list.record[i].ip, address))
            answer = ANSWER_YES;
    }
    dns_records_free(&list);
    return answer;
}

/* Whether one of the names does. More than IDENTITY_NAMES_MAX of them are not looked at. */
static enum answer is_confirmed(const struct check *check, const struct dns_record_list *names,
                                const struct ip *address)
{
    enum answer answer = names->count > IDENTITY_NAMES_MAX ? ANSWER_FAILURE : ANSWER_NO;
    for (size_t i = 0; i < names->count && i < IDENTITY_NAMES_MAX; i++) {
        switch (resolves_to(check, names->record[i].text, address)) {
        case ANSWER_YES:
            return ANSWER_YES;
        case ANSWER_FAILURE:
            answer = ANSWER_FAILURE;
            break;
        default:
            break;
        }
    }
    return answer;
}

static void check_pointers(struct check *check, const struct ip *address,
                           const struct dns_record_list *names)
{
    char text[INET6_ADDRSTRLEN];
    const char *name = names->record[0].text;
    (void)text_of(address, text);
    switch (is_confirmed(check, names, address)) {
    case ANSWER_FAILURE:
        warn(check,
             "the PTR record of %s says %s, whose addresses could not all be looked up: it is not "
             "known to resolve back to %s",
             text, name, text);
        break;
    case ANSWER_NO:
        warn(check,
             "the PTR record of %s says %s, but that name does not resolve to %s: give it an %s "
             "record, or let the PTR record say a name that has one",
             text, name, text, ip_is_v4(address) ? "A" : "AAAA");
        break;
    default:
        break;
    }
}

static void check_address(struct check *check, const struct ip *address)
{
    char text[INET6_ADDRSTRLEN], reverse[RB_DOMAIN_MAX + 1];
    struct dns_record_list names;
    dns_name_of_ip(address, reverse);
    switch (dns_records(check->dns, reverse, ns_t_ptr, check->until, &names)) {
    case DNS_FOUND:
        check_pointers(check, address, &names);
        break;
    case DNS_FAILURE:
        warn(check, "the PTR record of %s could not be looked up: it is not known to have one",
             text_of(address, text));
        break;
    default:
        warn(check,
             "%s, which calls come from, has no PTR record, and many mail hosts refuse such "
             "callers: whoever provides the address should let one say %s",
             text_of(address, text),
             check->options->o.helo_name[0] == '[' ? "this host's name"
                                                   : check->options->o.helo_name);
        break;
    }
    dns_records_free(&names);
}

void identity_check(const struct dns *dns, const struct options *options,
                    const struct rb_network *own, size_t own_count, deadline until,
                    struct identity *identity)
{
    struct check check = {.dns = dns,
                          .options = options,
                          .own = own,
                          .own_count = own_count,
                          .until = until,
                          .identity = identity};
    *identity = (struct identity){.count = 0};
    find_addresses(&check);
    if (options->o.helo_name[0] == '[')
        check_literal(&check, options->o.helo_name);
    else
        check_name(&check, options->o.helo_name);
    for (size_t i = 0; i < check.count; i++)
        check_address(&check, &check.address[i]);
}
