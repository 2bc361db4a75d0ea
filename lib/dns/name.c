/* SPDX-License-Identifier: BSD-2-Clause */
/* name: see the header. It must not ask anybody. */
#include "config.h"

#include "dns/name.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
    NAME_MAX_OCTETS = 253, /* RFC 1035 2.3.4: 255 on the wire */
    LABEL_MAX_OCTETS = 63,
};

#define HOST_OCTETS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* All printable ones but the dot and the backslash, which mean something in a name as text. */
#define ANY_OCTETS HOST_OCTETS " !\"#$%&'()*+,/:;<=>?@[]^`{|}~"

/* Copies a name whose labels have these octets alone. */
static bool copy_name(const char *octets, const char *text, char name[RB_DOMAIN_MAX + 1])
{
    const size_t len = strnlen(text, NAME_MAX_OCTETS + 1);

    if (len > NAME_MAX_OCTETS)
        return false;
    for (size_t at = 0, label; at <= len; at += label + 1) {
        label = strspn(text + at, octets);
        if (label == 0 || label > LABEL_MAX_OCTETS ||
            (text[at + label] != '.' && text[at + label] != '\0'))
            return false;
    }
    memcpy(name, text, len + 1);
    text_lower(name);
    return true;
}

bool dns_name_of_host(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    return copy_name(HOST_OCTETS, text, name);
}

/*
 * Reads the octet that "\064" or "\@" stands for. The length of the escape; 0 where the octet is a
 * NUL, a dot or a backslash, which no name that may be asked for has, or where it is no escape.
 */
static size_t read_escape(const char *text, char *octet)
{
    const size_t digits = strspn(text + 1, "0123456789");
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

bool dns_name_of_any(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    char plain[NAME_MAX_OCTETS + 1];
    size_t len = 0;

    for (size_t used = 1; *text != '\0' && len < sizeof plain - 1; text += used) {
        plain[len] = *text;
        used = *text == '\\' ? read_escape(text, &plain[len]) : 1;
        if (used == 0)
            return false;
        len++;
    }
    plain[len] = '\0';
    return *text == '\0' && copy_name(ANY_OCTETS, plain, name);
}

bool dns_name_can_be_asked(const char *name)
{
    char copy[RB_DOMAIN_MAX + 1];

    return copy_name(ANY_OCTETS, name, copy);
}

bool dns_name_in_data(const ns_msg *msg, const ns_rr *rr, size_t offset, char text[NS_MAXDNAME])
{
    const uint8_t *data = ns_rr_rdata(*rr);
    const size_t len = ns_rr_rdlen(*rr);
    int used;

    if (len <= offset)
        return false;
    used =
        ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data + offset, text, NS_MAXDNAME);
    return used >= 0 && (size_t)used == len - offset;
}

void dns_name_of_ip(const struct ip *ip, char name[RB_DOMAIN_MAX + 1])
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *v4 = ip_v4(ip);
    char *at = name;

    if (ip_is_v4(ip)) {
        (void)snprintf(name, RB_DOMAIN_MAX + 1, "%u.%u.%u.%u.in-addr.arpa", v4[3], v4[2], v4[1],
                       v4[0]);
        return;
    }
    for (size_t i = sizeof ip->octets; i-- > 0;) {
        *at++ = digits[ip->octets[i] & 0xf];
        *at++ = '.';
        *at++ = digits[ip->octets[i] >> 4];
        *at++ = '.';
    }
    memcpy(at, "ip6.arpa", sizeof "ip6.arpa");
}
